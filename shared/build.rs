//! Does once what every cold start would do again: reads AWS's certificate authorities (`authorities`), cuts the numbering
//! plans down to the regions that some stage serves, and makes an automaton of each (`plain`).
//!
//! The phone-number library brings the plans of all 250 regions and reads them all before its first answer: 4 ms, and
//! fourteen times that with the share of a core that a 128 MB Lambda has. Those of one region take 0.3 ms. The
//! library's file is found where cargo says that the library lies.

#[path = "build/authorities.rs"]
mod authorities;
#[path = "build/plain.rs"]
mod plain;

use std::collections::BTreeSet;
use std::error::Error;
use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::{env, fs};

use prost::Message;
use rlibphonenumber::{PhoneMetadata, PhoneMetadataCollection};
use serde_json::Value;

const AUTHORITIES: &str = "src/aws/roots.pem";
const LIBRARY: &str = "rlibphonenumber";
const PLANS: &str = "src/generated/metadata/metadata.bin";

#[expect(clippy::disallowed_methods, reason = "cargo tells a build script everything through its environment")]
fn main() -> Result<(), Box<dyn Error>> {
    let here = PathBuf::from(env::var("CARGO_MANIFEST_DIR")?);
    let settings = here.join("../conf");
    println!("cargo:rerun-if-changed=build.rs");
    println!("cargo:rerun-if-changed=build");
    println!("cargo:rerun-if-changed={AUTHORITIES}");
    println!("cargo:rerun-if-changed={}", settings.display());
    println!("cargo:rerun-if-changed={}", here.join("../Cargo.lock").display());

    let out = PathBuf::from(env::var("OUT_DIR")?);
    fs::write(out.join("authorities.rs"), authorities::anchors(&fs::read(here.join(AUTHORITIES))?)?)?;
    let stages = stages(&settings)?;
    let regions = regions_of_all_stages(&stages)?;
    let file = library(&here, &env::var("CARGO")?, &env::var("TARGET")?)?.join(PLANS);
    let mut plans = PhoneMetadataCollection::decode(&*fs::read(&file)?)?;
    fs::write(out.join("plain_numbers.rs"), plain_numbers(&plans.metadata, &regions)?)?;
    // Tests hold the automata of all regions against the library.
    println!("cargo:rustc-env=BADGE_ALL_PLANS={}", file.display());

    plans.metadata.retain(|plan| regions.contains(&plan.id));
    if plans.metadata.len() != regions.len() {
        return Err(format!("conf/*.toml name a region without a numbering plan: {regions:?}").into());
    }
    println!("cargo:rustc-env=BADGE_REGIONS={}", regions.iter().cloned().collect::<Vec<_>>().join(","));
    fs::write(out.join("numbering_plans.bin"), plans.encode_to_vec())?;
    Ok(())
}

/// The automata of those regions, as the source of a list.
fn plain_numbers(plans: &[PhoneMetadata], regions: &BTreeSet<String>) -> Result<String, Box<dyn Error>> {
    let mut automata = Vec::new();
    for plan in plans.iter().filter(|plan| regions.contains(&plan.id)) {
        if plans.iter().filter(|other| other.country_code() == plan.country_code()).count() == 1 {
            let (region, plain::Plan { country_code, nodes, ends }) = (&plan.id, plain::Plan::new(plan)?);
            automata.push(format!(
                "Plan {{ region: Region::{region}, country_code: {country_code:?}, nodes: &{nodes:?}, ends: &{ends:?} }}"
            ));
        }
    }
    Ok(format!("&[{}]", automata.join(", ")))
}

/// The text of every `conf/*.toml`.
fn stages(folder: &Path) -> Result<Vec<String>, Box<dyn Error>> {
    let mut texts = Vec::new();
    for file in fs::read_dir(folder)? {
        let path = file?.path();
        if extension(&path) == Some("toml") {
            texts.push(fs::read_to_string(path)?);
        }
    }
    // The same sources make the same binary.
    texts.sort();
    Ok(texts)
}

fn extension(path: &Path) -> Option<&str> {
    path.extension().and_then(OsStr::to_str)
}

/// Every code under `[phone]` in `conf/*.toml`.
fn regions_of_all_stages(stages: &[String]) -> Result<BTreeSet<String>, Box<dyn Error>> {
    let mut regions = BTreeSet::new();
    for text in stages {
        let settings: toml::Table = text.parse()?;
        let phone = settings.get("phone").and_then(toml::Value::as_table);
        let codes = phone.into_iter().flat_map(|phone| phone.values()).flat_map(|value| match value {
            toml::Value::Array(codes) => codes.clone(),
            code => vec![code.clone()],
        });
        regions.extend(codes.filter_map(|code| code.as_str().map(str::to_owned)));
    }
    Ok(regions)
}

/// The folder of the phone-number library's source.
fn library(here: &Path, cargo: &str, target: &str) -> Result<PathBuf, Box<dyn Error>> {
    let output = Command::new(cargo)
        // What other systems need was not fetched for this build, and is not for this question.
        .args(["metadata", "--format-version", "1", "--filter-platform", target, "--manifest-path"])
        .arg(here.join("Cargo.toml"))
        .output()?;
    if !output.status.success() {
        return Err(String::from_utf8_lossy(&output.stderr).into());
    }
    let metadata: Value = serde_json::from_slice(&output.stdout)?;
    let packages = metadata["packages"].as_array().into_iter().flatten();
    let manifest = packages.filter(|package| package["name"] == LIBRARY).find_map(|one| one["manifest_path"].as_str());
    let folder = manifest.and_then(|manifest| Path::new(manifest).parent());
    folder.map(Path::to_owned).ok_or_else(|| format!("cargo does not know where {LIBRARY} lies").into())
}
