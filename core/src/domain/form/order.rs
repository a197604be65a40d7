//! The order of decisions about relevance: each item behind the items that it depends on.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use super::error::TemplateError;
use super::expression::Expression;
use super::template::Item;

/// Items of a circle that its error names.
const NAMED_MAX: usize = 8;

/// Returns the indices of all items in an order of decision (Kahn's algorithm), the first of the template
/// first wherever there is a choice.
pub(super) fn of(items: &[Item]) -> Result<Vec<usize>, TemplateError> {
    let mut waits_for = vec![0_usize; items.len()];
    let mut needed_by = vec![Vec::new(); items.len()];
    for (index, item) in items.iter().enumerate() {
        let read = item.relevant.iter().flat_map(Expression::items);
        for needed in read.chain(item.parent) {
            waits_for[index] += 1;
            needed_by[needed].push(index);
        }
    }
    let free = (0..items.len()).filter(|index| waits_for[*index] == 0);
    let mut free: BinaryHeap<Reverse<usize>> = free.map(Reverse).collect();
    let mut order = Vec::with_capacity(items.len());
    while let Some(Reverse(index)) = free.pop() {
        order.push(index);
        for &next in &needed_by[index] {
            waits_for[next] -= 1;
            if waits_for[next] == 0 {
                free.push(Reverse(next));
            }
        }
    }
    if order.len() == items.len() {
        return Ok(order);
    }
    let circle = circle(items, &waits_for);
    let names = circle.iter().map(|index| items[*index].id.to_string());
    Err(TemplateError::Loop {
        items: names.take(NAMED_MAX).collect(),
    })
}

/// Returns one circle among the items that still wait. Each of them waits for another one of them, so a walk
/// from dependency to dependency comes to an item that it has seen.
fn circle(items: &[Item], waits_for: &[usize]) -> Vec<usize> {
    let waits = |index: &usize| waits_for[*index] > 0;
    let mut seen_at = vec![None; items.len()];
    let mut walk = Vec::new();
    let mut at = (0..items.len()).find(waits);
    while let Some(index) = at {
        if let Some(start) = seen_at[index] {
            return walk.split_off(start);
        }
        seen_at[index] = Some(walk.len());
        walk.push(index);
        let item = &items[index];
        let read = item.relevant.iter().flat_map(Expression::items);
        at = read.chain(item.parent).find(waits);
    }
    walk
}
