//! TEMP
use super::{Gate, Placement, Standing};
use crate::{App, Result};
use domain::seal::BlindIndex;
use futures_util::future::BoxFuture;
use std::sync::Arc;
pub struct OrderGate(#[allow(dead_code)] Arc<App>);
impl OrderGate {
    pub fn new(app: Arc<App>) -> Self {
        Self(app)
    }
}
impl Gate for OrderGate {
    fn place<'a>(&'a self, _: &'a str, _: Placement) -> BoxFuture<'a, Result<BlindIndex>> {
        unimplemented!()
    }
    fn cancel<'a>(
        &'a self,
        _: &'a str,
        _: &'a str,
        _: &'static str,
    ) -> BoxFuture<'a, Result<bool>> {
        unimplemented!()
    }
    fn standing<'a>(&'a self, _: &'a str, _: &'a str) -> BoxFuture<'a, Result<Option<Standing>>> {
        unimplemented!()
    }
}
