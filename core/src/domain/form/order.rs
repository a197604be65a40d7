//! The order of decisions about relevance: each item behind the items that it depends on.

use super::error::TemplateError;
use super::expression::Expression;
use super::template::Item;
use crate::dag::Dag;

/// Items of a circle that its error names.
const NAMED_MAX: usize = 8;

/// Returns the indices of all items in an order of decision, the first of the template
/// first wherever there is a choice.
pub(super) fn of(items: &[Item]) -> Result<Vec<usize>, TemplateError> {
    let mut dag = Dag::with_capacity(items.len());
    for item in items {
        let read = item.relevant.iter().flat_map(Expression::items);
        dag.push(read.chain(item.parent).map(Some));
    }
    let order = dag.by_place();
    if order.len() == items.len() {
        return Ok(order);
    }
    let circle = circle(&dag, &order);
    let names = circle.iter().map(|index| items[*index].id.to_string());
    Err(TemplateError::Loop {
        items: names.take(NAMED_MAX).collect(),
    })
}

/// Returns one circle among the items that have no place in `order`. Each of them waits for another one of them, so
/// a walk from dependency to dependency comes to an item that it has seen.
fn circle(dag: &Dag, order: &[usize]) -> Vec<usize> {
    let mut waits = vec![true; dag.len()];
    for index in order {
        waits[*index] = false;
    }
    let mut seen_at = vec![None; dag.len()];
    let mut walk = Vec::new();
    let mut at = waits.iter().position(|waits| *waits);
    while let Some(index) = at {
        if let Some(start) = seen_at[index] {
            return walk.split_off(start);
        }
        seen_at[index] = Some(walk.len());
        walk.push(index);
        let mut needed = dag.parents(index).iter().copied();
        at = needed.find(|index| waits[*index]);
    }
    walk
}
