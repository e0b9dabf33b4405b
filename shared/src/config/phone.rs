//! `[phone]`: which numbers the stage serves.

use serde::Deserialize;

use super::error::{SettingError, require};
use crate::models::phone::{PhoneRules, RegionCode};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct PhoneTable {
    default_region: RegionCode,
    allowed_regions: Vec<RegionCode>,
}

impl PhoneTable {
    pub(super) fn read(self) -> Result<PhoneRules, SettingError> {
        let rules = PhoneRules {
            default_region: self.default_region.0,
            allowed_regions: self.allowed_regions.iter().map(|code| code.0).collect(),
        };
        require(!rules.allowed_regions.is_empty(), "phone.allowed_regions", "must name a region")?;
        require(
            rules.are_built_in(),
            "phone",
            "must name regions whose numbering plans were built in: build again after a change of conf/",
        )?;
        Ok(rules)
    }
}
