//! The stage from outside, against functions that do what a test tells them to.

#[cfg(test)]
mod bed;
#[cfg(test)]
mod client;
#[cfg(test)]
mod doors;
#[cfg(test)]
mod gateway;
#[cfg(test)]
mod invoke;
#[cfg(test)]
mod process;
#[cfg(test)]
mod runtime;
