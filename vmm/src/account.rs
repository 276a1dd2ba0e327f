//! Who a program runs as: ids as numbers, or names from the caller's /etc/passwd and /etc/group.

use std::fs;

/// Ids of a program.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct User {
    /// User id.
    pub uid: u32,
    /// Group id.
    pub gid: u32,
    /// Supplementary groups.
    pub groups: Vec<u32>,
}

impl User {
    /// `USER[:GROUP]`, each a name or a number. Without a group, a name has its own and its supplementary ones, a number
    /// the group of the same number.
    pub fn parse(text: &str) -> Result<User, String> {
        let (user, group) = match text.split_once(':') {
            Some((user, group)) => (user, Some(group)),
            None => (text, None),
        };
        let known = if number(user).is_none() {
            let unknown =
                || format!("{user} is no user in /etc/passwd; give a name there or a number");
            Some(User::named(user).ok_or_else(unknown)?)
        } else {
            None
        };
        let Some(group) = group else {
            let by_number = || number(user).map(|id| User::only(id, id));
            return known.or_else(by_number).ok_or_else(|| text.to_owned());
        };
        let unknown =
            || format!("{group} is no group in /etc/group; give a name there or a number");
        let gid = number(group)
            .or_else(|| id(&rows("/etc/group"), group, 2))
            .ok_or_else(unknown)?;
        let uid = known.map(|user| user.uid).or_else(|| number(user));
        uid.map(|uid| User::only(uid, gid))
            .ok_or_else(|| text.to_owned())
    }

    /// A user with its groups.
    pub fn named(name: &str) -> Option<User> {
        let users = rows("/etc/passwd");
        let (uid, gid) = (id(&users, name, 2)?, id(&users, name, 3)?);
        let mut user = User::only(uid, gid);
        for row in rows("/etc/group") {
            let members = row.get(3).map_or("", String::as_str);
            let group = row.get(2).and_then(|id| number(id));
            let member = members.split(',').any(|member| member == name);
            user.groups
                .extend(group.filter(|group| member && *group != gid));
        }
        Some(user)
    }

    fn only(uid: u32, gid: u32) -> User {
        User {
            uid,
            gid,
            groups: vec![gid],
        }
    }
}

/// An id; the highest number means none.
fn number(text: &str) -> Option<u32> {
    text.parse().ok().filter(|&id| id != u32::MAX)
}

fn rows(path: &str) -> Vec<Vec<String>> {
    let text = fs::read_to_string(path).unwrap_or_default();
    let fields = |line: &str| line.split(':').map(str::to_owned).collect();
    text.lines().map(fields).collect()
}

/// The number in column `at` of the row of `name`.
fn id(rows: &[Vec<String>], name: &str, at: usize) -> Option<u32> {
    let named = |row: &&Vec<String>| !name.is_empty() && row.first().is_some_and(|n| n == name);
    number(rows.iter().find(named)?.get(at)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn users() {
        assert_eq!(User::parse("1000"), Ok(User::only(1000, 1000)));
        assert_eq!(User::parse("0:5"), Ok(User::only(0, 5)));
        assert_eq!(User::parse("root:root"), Ok(User::only(0, 0)));
        assert_eq!(User::parse("root").map(|user| user.uid), Ok(0));
        for bad in [
            "",
            ":",
            "1:",
            "root:",
            "no-such-user",
            "4294967295",
            "-1",
            "0:no-such-group",
        ] {
            assert!(User::parse(bad).is_err(), "{bad}");
        }
    }
}
