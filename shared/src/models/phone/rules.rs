//! Which numbers a stage serves.

use rlibphonenumber::enums::Region;
use serde::Deserialize;

/// Which numbers a stage serves.
#[derive(Clone)]
pub struct PhoneRules {
    /// The region of numbers written without a country code.
    pub default_region: Region,
    /// Regions whose numbers are accepted.
    pub allowed_regions: Vec<Region>,
}

impl PhoneRules {
    /// Whether every region's numbering plan was built in.
    pub(crate) fn are_built_in(&self) -> bool {
        let is_built_in = |region: &Region| env!("BADGE_REGIONS").split(',').any(|code| code == region.to_string());
        self.allowed_regions.iter().chain([&self.default_region]).all(is_built_in)
    }
}

/// An ISO 3166-1 alpha-2 code in a settings file.
#[derive(Clone, Copy)]
pub(crate) struct RegionCode(pub(crate) Region);

impl<'de> Deserialize<'de> for RegionCode {
    fn deserialize<D: serde::Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let code = String::deserialize(from)?;
        let region = Region::try_from(code.as_str())
            .map_err(|_| serde::de::Error::custom("not a region code such as \"CN\""))?;
        Ok(Self(region))
    }
}
