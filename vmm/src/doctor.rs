//! doctor
use crate::cli::DoctorOptions;
pub fn doctor(_: &DoctorOptions) -> bool {
    true
}
