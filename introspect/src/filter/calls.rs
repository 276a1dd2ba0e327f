//! Sets of system calls: names, classes, all.

use super::error::did_you_mean;
use vitrine_abi::{
    filter::CALLS,
    syscall::{self, Class, Syscall},
};

/// A set of call numbers. Numbers past the table are one element, the last.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct CallSet {
    words: [u64; CALLS.div_ceil(64)],
}

impl CallSet {
    /// No call.
    pub const NONE: CallSet = CallSet {
        words: [0; CALLS.div_ceil(64)],
    };

    /// Every call.
    pub fn all() -> CallSet {
        let mut set = CallSet::NONE;
        (0..CALLS).for_each(|index| set.insert(index));
        set
    }

    /// The calls of a class.
    pub fn class(class: Class) -> CallSet {
        let members = syscall::all().filter(|call| call.class().intersects(class));
        members.map(|call| call.nr as usize).collect()
    }

    /// Adds a call.
    pub fn insert(&mut self, index: usize) {
        if index < CALLS {
            self.words[index / 64] |= 1 << (index % 64);
        }
    }

    /// Whether a call is in it.
    pub fn contains(&self, index: usize) -> bool {
        index < CALLS && self.words[index / 64] >> (index % 64) & 1 != 0
    }

    /// Whether none is.
    pub fn is_empty(&self) -> bool {
        self.words.iter().all(|word| *word == 0)
    }

    /// How many are in it.
    pub fn len(&self) -> usize {
        self.words
            .iter()
            .map(|word| word.count_ones() as usize)
            .sum()
    }

    /// Those in both.
    pub fn and(mut self, other: &CallSet) -> CallSet {
        for (word, other) in self.words.iter_mut().zip(&other.words) {
            *word &= other;
        }
        self
    }

    /// Those in either.
    pub fn or(mut self, other: &CallSet) -> CallSet {
        for (word, other) in self.words.iter_mut().zip(&other.words) {
            *word |= other;
        }
        self
    }

    /// Those not in it.
    pub fn not(&self) -> CallSet {
        (0..CALLS).filter(|index| !self.contains(*index)).collect()
    }

    /// Its indices.
    pub fn iter(&self) -> impl Iterator<Item = usize> + '_ {
        (0..CALLS).filter(|index| self.contains(*index))
    }

    /// Those of its calls that have a row in the table.
    pub fn rows(&self) -> impl Iterator<Item = &'static Syscall> + '_ {
        self.iter().filter_map(|index| syscall::get(index as u64))
    }
}

impl FromIterator<usize> for CallSet {
    fn from_iter<T: IntoIterator<Item = usize>>(indices: T) -> CallSet {
        let mut set = CallSet::NONE;
        indices.into_iter().for_each(|index| set.insert(index));
        set
    }
}

/// The calls that a word means: a name, `%class`, or `*`. The error is message and help.
pub fn word(word: &str) -> Result<CallSet, (String, Option<String>)> {
    if word == "*" {
        return Ok(CallSet::all());
    }
    if let Some(class) = word.strip_prefix('%') {
        return match Class::from_name(class) {
            Some(class) => Ok(CallSet::class(class)),
            None => Err((
                format!("there is no class of calls `{word}`"),
                did_you_mean(word, CLASSES.iter().copied())
                    .or_else(|| Some(format!("there are {}", CLASSES.join(" ")))),
            )),
        };
    }
    match syscall::by_name(word) {
        Some(call) => Ok([call.nr as usize].into_iter().collect()),
        None => Err((
            format!("there is no system call `{word}`"),
            did_you_mean(word, syscall::all().map(|call| call.name)),
        )),
    }
}

/// The classes, as they are written.
pub const CLASSES: &[&str] = &[
    "%file", "%desc", "%process", "%network", "%net", "%signal", "%ipc", "%memory", "%creds",
    "%clock", "%stat", "%lstat", "%fstat", "%%stat", "%statfs", "%fstatfs", "%%statfs", "%pure",
];
