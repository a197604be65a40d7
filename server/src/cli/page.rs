//! Pages of a list.

use super::Context;
use crate::error::{Phrase, Result};

#[derive(Debug, Clone, Copy, clap::Args)]
pub(super) struct Page {
    #[arg(
        long,
        value_name = "N",
        default_value_t = 1,
        value_parser = clap::value_parser!(u32).range(1..),
        help = "cli.arg_page"
    )]
    page: u32,
    #[arg(
        long,
        value_name = "N",
        default_value_t = 50,
        value_parser = clap::value_parser!(u32).range(1..=100_000),
        help = "cli.arg_per_page"
    )]
    per_page: u32,
}

impl Page {
    /// Returns the items of this page.
    pub(super) fn of<T>(self, all: &[T]) -> &[T] {
        let per_page = self.per_page as usize;
        let from = (self.page as usize - 1).saturating_mul(per_page);
        let rest = all.get(from..).unwrap_or_default();
        &rest[..rest.len().min(per_page)]
    }

    /// Says which page it is and how many there are, or that the list is empty.
    pub(super) fn footer(self, count: usize, context: &mut Context<'_>) -> Result<()> {
        if count == 0 {
            return context.say(&Phrase::new("list.none"));
        }
        context.say(
            &Phrase::new("list.page")
                .with("page", self.page)
                .with("pages", count.div_ceil(self.per_page as usize))
                .with("count", count),
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages_cover_a_list_without_overlap() {
        let all: Vec<u8> = (0..7).collect();
        let page = |page| Page { page, per_page: 3 }.of(&all).to_vec();
        assert_eq!([page(1), page(2), page(3)].concat(), all);
        assert_eq!(page(3), [6]);
        assert_eq!(page(4), [0; 0]);
        assert_eq!(page(u32::MAX), [0; 0]);
    }
}
