//! The processor's temperature, where the system tells it.

use std::{fs, path::Path};

/// Names of the sensors of processors that Linux lists below `/sys/class/hwmon`, and types of its thermal zones.
const SENSORS: [&str; 7] =
    ["coretemp", "k10temp", "zenpower", "cpu_thermal", "cpu-thermal", "soc_thermal", "x86_pkg_temp"];

/// Degrees Celsius. `None` if the system names no sensor of the processor, as in most virtual machines.
pub(crate) fn celsius() -> Option<f64> {
    read(Path::new("/sys/class"))
}

fn read(class: &Path) -> Option<f64> {
    [("hwmon", "name", "temp1_input"), ("thermal", "type", "temp")].into_iter().find_map(|(folder, name, value)| {
        let sensors = fs::read_dir(class.join(folder)).ok()?.filter_map(Result::ok).map(|entry| entry.path());
        let mut found: Vec<_> = sensors
            .filter(|path| fs::read_to_string(path.join(name)).is_ok_and(|name| SENSORS.contains(&name.trim())))
            .collect();
        found.sort();
        found.iter().find_map(|path| {
            let milli: f64 = fs::read_to_string(path.join(value)).ok()?.trim().parse().ok()?;
            Some(milli / 1000.0)
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sensor(class: &Path, folder: &str, files: [(&str, &str); 2]) {
        let folder = class.join(folder);
        fs::create_dir_all(&folder).unwrap();
        files.iter().for_each(|(name, text)| fs::write(folder.join(name), text).unwrap());
    }

    #[test]
    fn reads_the_processors_sensor_and_no_other() {
        let class = tempfile::tempdir().unwrap();
        assert_eq!(read(class.path()), None);
        sensor(class.path(), "hwmon/hwmon0", [("name", "nvme\n"), ("temp1_input", "30000\n")]);
        sensor(class.path(), "thermal/thermal_zone0", [("type", "cpu-thermal\n"), ("temp", "48500\n")]);
        assert_eq!(read(class.path()), Some(48.5));
        sensor(class.path(), "hwmon/hwmon1", [("name", "k10temp\n"), ("temp1_input", "61250\n")]);
        assert_eq!(read(class.path()), Some(61.25));
        sensor(class.path(), "hwmon/hwmon1", [("name", "k10temp\n"), ("temp1_input", "warm\n")]);
        assert_eq!(read(class.path()), Some(48.5));
    }
}
