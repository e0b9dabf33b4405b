//! `$default`, and every known path under a wrong method: what no other function takes.

use shared::entry::{self, Fatal};

fn main() -> Result<(), Fatal> {
    entry::unrouted()
}
