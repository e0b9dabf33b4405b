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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stage_serves_regions_whose_plans_were_built_in() {
        let read = |text: &str| toml::from_str::<PhoneTable>(text).unwrap().read();
        assert!(read("default_region = \"CN\"\nallowed_regions = [\"CN\"]").is_ok());
        for (text, key) in [
            ("default_region = \"CN\"\nallowed_regions = []", "phone.allowed_regions"),
            ("default_region = \"CN\"\nallowed_regions = [\"CN\", \"TA\"]", "phone must"),
            ("default_region = \"TA\"\nallowed_regions = [\"CN\"]", "phone must"),
        ] {
            assert!(read(text).err().unwrap().to_string().starts_with(key), "{text}");
        }
    }
}
