//! stub
use super::automaton::Automaton;
use super::graph::Graph;
use crate::System;
/// x
#[derive(Clone, Debug)]
pub struct Choice;
/// x
#[derive(Clone, Debug)]
pub struct Cause;
pub(super) fn find<S: System>(
    _: &S,
    _: &Graph<S::Observation>,
    _: bool,
    _: &Automaton<S::Observation>,
) -> Vec<Choice> {
    Vec::new()
}
