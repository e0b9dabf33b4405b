//! `infra/template.yaml`: which functions, routes, schedules, tables and secrets there are.

mod mapping;
mod reader;
mod resolve;
mod schedule;
mod spec;
mod timetable;
mod yaml;

pub(crate) use self::schedule::attribute;
pub(crate) use self::spec::{
    CorsSpec, FunctionSpec, MappingSpec, RouteKey, ScheduleSpec, SecretSpec, SecretValue, TableSpec, Template,
    TemplateError,
};
pub(crate) use self::timetable::DEFAULT_ZONE;
#[cfg(any(test, feature = "fuzz"))]
pub(crate) use self::timetable::Timetable;
