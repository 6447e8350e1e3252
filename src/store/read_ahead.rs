//! Read-ahead: how far to read beyond what a reader misses, from the order in which it comes to the block groups. One for each
//! reader; the hub asks it and has the pager fetch. It reads nothing itself.
//!
//! A sequential reader's window doubles from group to group, and the next one is asked for as soon as the reader enters the
//! last, so that it seldom waits. A reader that jumps gets nothing but what it asks for: each jump begins a course of its own.
//! A few courses are remembered, since a join walks through several tables by turns.

use crate::ids::GroupNo;

/// The widest window, in groups: about half a MiB. A wider one made scans no faster, and what others missed waited longer.
const WINDOW_MAX: u32 = 8;
const COURSES: usize = 4;

#[derive(Clone, Copy, Debug)]
struct Course {
    /// Where the reader was last.
    at: u32,
    /// The last window read ahead: from its first group to `end`, not included; empty before there is any.
    first: u32,
    end: u32,
    window: u32,
}

#[derive(Debug, Default)]
pub struct ReadAhead {
    /// The latest first.
    courses: Vec<Course>,
    /// The group touched last: most touches are of the same.
    last: Option<GroupNo>,
}

impl ReadAhead {
    /// A block of this group is missing: how many groups after it to fetch along with it. `most`: the widest window that the cache bears.
    pub fn missed(&mut self, group: GroupNo, most: u32) -> u32 {
        self.last = Some(group);
        let is_on = |course: &Course| (course.at..=course.end).contains(&group.0);
        let Some(at) = self.courses.iter().position(is_on) else {
            self.courses.truncate(COURSES - 1);
            self.courses.insert(0, Course { at: group.0, first: group.0 + 1, end: group.0 + 1, window: 0 });
            return 0;
        };
        let course = self.latest(at);
        course.at = group.0;
        course.widen(most);
        course.first = course.end.max(group.0 + 1);
        course.end = course.first.max(group.0 + 1 + course.window);
        course.end - group.0 - 1
    }

    /// A block of this group was there. Where that enters the last window: the next one, its first group and how many.
    pub fn touched(&mut self, group: GroupNo, most: impl FnOnce() -> u32) -> Option<(GroupNo, u32)> {
        if self.last == Some(group) {
            return None;
        }
        self.last = Some(group);
        let goes_on = |course: &Course| course.first == course.end && course.at + 1 == group.0;
        let at = self.courses.iter().position(|course| (course.first..course.end).contains(&group.0) || goes_on(course))?;
        let course = self.latest(at);
        course.at = group.0;
        course.widen(most());
        course.first = course.end.max(group.0 + 1);
        course.end = course.first + course.window;
        Some((GroupNo(course.first), course.window))
    }

    fn latest(&mut self, at: usize) -> &mut Course {
        self.courses[..=at].rotate_right(1);
        &mut self.courses[0]
    }
}

impl Course {
    fn widen(&mut self, most: u32) {
        self.window = (self.window * 2).min(most).clamp(1, WINDOW_MAX);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    /// What a reader with this course through the groups has to wait for, and what is read beside it.
    fn read(groups: impl IntoIterator<Item = u32>) -> (usize, usize) {
        let (mut ahead, mut resident, mut waits) = (ReadAhead::default(), BTreeSet::new(), 0);
        let mut asked = BTreeSet::new();
        for group in groups {
            asked.insert(group);
            if resident.contains(&group) {
                if let Some((first, count)) = ahead.touched(GroupNo(group), || WINDOW_MAX) {
                    resident.extend(first.0..first.0 + count);
                }
            } else {
                waits += 1;
                let count = ahead.missed(GroupNo(group), WINDOW_MAX);
                resident.extend(group..=group + count);
            }
        }
        (waits, resident.difference(&asked).count())
    }

    /// No order at all, the same each time.
    fn random(n: u32) -> impl Iterator<Item = u32> {
        (1..=n).map(|i| i.wrapping_mul(2_654_435_761).rotate_left(7) % 100_000)
    }

    // At stake: a scan that waits for every single group is as slow as the store's round trip.
    #[test]
    fn a_sequential_reader_waits_twice_and_never_again() {
        let (waits, beside) = read(0..500);
        assert_eq!(waits, 2);
        assert!(beside <= 2 * WINDOW_MAX as usize, "{beside}");
        // The negative control: as many groups in another order.
        assert!(read(random(500)).0 > 490);
    }

    // At stake: point queries that read a megabyte each throw everybody's blocks out.
    #[test]
    fn a_random_reader_gets_what_it_asks_for_and_next_to_nothing_beside() {
        let (_, beside) = read(random(2000));
        assert!(beside < 20, "{beside}");
    }

    #[test]
    fn a_strided_reader_gets_nothing_ahead() {
        assert_eq!(read((0..200).map(|n| n * 3)), (200, 0));
    }

    #[test]
    fn two_scans_by_turns_are_both_read_ahead() {
        assert_eq!(read((0..300).flat_map(|n| [n, 50_000 + n])).0, 4);
    }

    #[test]
    fn a_jump_ends_the_window_at_once() {
        let mut ahead = ReadAhead::default();
        (0..20).for_each(|group| _ = ahead.missed(GroupNo(group), WINDOW_MAX));
        assert_eq!(ahead.missed(GroupNo(20), WINDOW_MAX), WINDOW_MAX);
        assert_eq!(ahead.missed(GroupNo(900), WINDOW_MAX), 0);
        assert_eq!(ahead.missed(GroupNo(901), WINDOW_MAX), 1);
    }

    // At stake: `touched` is called for every block that is found.
    #[test]
    fn the_next_window_is_asked_for_once() {
        let mut ahead = ReadAhead::default();
        assert_eq!((ahead.missed(GroupNo(7), WINDOW_MAX), ahead.missed(GroupNo(8), WINDOW_MAX)), (0, 1));
        assert_eq!(ahead.touched(GroupNo(8), || WINDOW_MAX), None);
        assert_eq!(ahead.touched(GroupNo(9), || WINDOW_MAX), Some((GroupNo(10), 2)));
        assert_eq!(
            (
                ahead.touched(GroupNo(9), || WINDOW_MAX),
                ahead.touched(GroupNo(8), || WINDOW_MAX),
                ahead.touched(GroupNo(9), || WINDOW_MAX)
            ),
            (None, None, None)
        );
        assert_eq!(ahead.touched(GroupNo(10), || WINDOW_MAX), Some((GroupNo(12), 4)));
    }
}
