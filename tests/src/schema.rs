//! As much of JSON Schema as `resources/event.schema.json` uses.

use serde_json::Value;

/// Checks `value` against `schema`, a part of `root`; the message says where it doesn't hold.
pub fn validate(root: &Value, schema: &Value, value: &Value, at: &str) -> Result<(), String> {
    if let Some(name) = schema["$ref"].as_str() {
        let target = name.strip_prefix('#').and_then(|path| root.pointer(path));
        let target = target.ok_or_else(|| format!("{name} leads nowhere"))?;
        validate(root, target, value, at)?;
    }
    if !schema["type"].is_null() && !types(&schema["type"]).any(|name| is_a(value, name)) {
        return Err(format!("{at} is {value}, not {}", schema["type"]));
    }
    let constant = &schema["const"];
    if !constant.is_null() && constant != value {
        return Err(format!("{at} is {value}, not {constant}"));
    }
    if let Some(values) = schema["enum"].as_array()
        && !values.contains(value)
    {
        return Err(format!("{at} is {value}, none of {}", schema["enum"]));
    }
    if let (Some(least), Some(number)) = (schema["minimum"].as_i64(), value.as_i64())
        && number < least
    {
        return Err(format!("{at} is {number}, below {least}"));
    }
    for name in schema["required"].as_array().into_iter().flatten() {
        let name = name.as_str().unwrap_or_default();
        if value.get(name).is_none() {
            return Err(format!("{at} has no {name}"));
        }
    }
    for (name, part) in schema["properties"].as_object().into_iter().flatten() {
        if let Some(member) = value.get(name) {
            validate(root, part, member, &format!("{at}.{name}"))?;
        }
    }
    if let Some(list) = value.as_array() {
        let len = list.len() as u64;
        let least = schema["minItems"].as_u64().unwrap_or(0);
        if len < least || schema["maxItems"].as_u64().is_some_and(|most| len > most) {
            return Err(format!("{at} has {len} elements"));
        }
        if !schema["items"].is_null() {
            for (index, element) in list.iter().enumerate() {
                validate(root, &schema["items"], element, &format!("{at}[{index}]"))?;
            }
        }
    }
    if let Some(kinds) = schema["oneOf"].as_array() {
        let results = kinds.iter().map(|kind| validate(root, kind, value, at));
        let failures: Vec<String> = results.filter_map(Result::err).collect();
        if kinds.len() - failures.len() != 1 {
            return Err(format!("{at} fits not one kind: {}", failures.join("; ")));
        }
    }
    Ok(())
}

/// The members of an event that neither the schema's head nor its kind describe.
pub fn undescribed<'a>(root: &Value, event: &'a Value) -> Vec<&'a str> {
    let kinds = root["$defs"].as_object().into_iter().flatten();
    let kind = kinds.map(|(_, kind)| kind).find(|kind| {
        let name = &kind["properties"]["type"];
        let listed = name["enum"].as_array();
        name["const"] == event["type"] || listed.is_some_and(|names| names.contains(&event["type"]))
    });
    let known = |member: &str| {
        !root["properties"][member].is_null()
            || kind.is_some_and(|kind| !kind["properties"][member].is_null())
    };
    let members = event.as_object().into_iter().flatten();
    members
        .map(|(member, _)| member.as_str())
        .filter(|member| !known(member))
        .collect()
}

fn types(schema: &Value) -> impl Iterator<Item = &str> {
    let list = schema.as_array().map(Vec::as_slice);
    list.unwrap_or(std::slice::from_ref(schema))
        .iter()
        .filter_map(Value::as_str)
}

fn is_a(value: &Value, name: &str) -> bool {
    match name {
        "null" => value.is_null(),
        "boolean" => value.is_boolean(),
        "integer" => value.is_i64() || value.is_u64(),
        "string" => value.is_string(),
        "array" => value.is_array(),
        "object" => value.is_object(),
        _ => false,
    }
}
