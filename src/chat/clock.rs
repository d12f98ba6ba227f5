//! `strftime_now(format)`: the date as templates ask for it.
//!
//! The time comes from the caller as seconds since 1970-01-01 00:00 on the local
//! wall clock (wasm32 has no `std::time`, and a page knows its time zone). Names
//! are English, as in the C locale.

const WEEKDAYS: [&str; 7] =
    ["Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday"];
const MONTHS: [&str; 12] = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
];
const SECONDS_PER_DAY: i64 = 86_400;

/// A wall-clock time in the proleptic Gregorian calendar.
struct Civil {
    year: i64,
    /// 1 to 12.
    month: usize,
    /// 1 to 31.
    day: i64,
    /// 1 to 366.
    day_of_year: i64,
    /// 0 is Sunday.
    weekday: usize,
    hour: i64,
    minute: i64,
    second: i64,
}

impl Civil {
    fn from_seconds(seconds: i64) -> Civil {
        let days = seconds.div_euclid(SECONDS_PER_DAY);
        let in_day = seconds.rem_euclid(SECONDS_PER_DAY);
        let (year, day_of_year) = year_and_day(days);
        let (mut month, mut day) = (0, day_of_year);
        while day >= days_in_month(year, month) {
            day -= days_in_month(year, month);
            month += 1;
        }
        Civil {
            year,
            month: month + 1,
            day: day + 1,
            day_of_year: day_of_year + 1,
            // 1970-01-01 was a Thursday; the remainder is 0 to 6.
            weekday: (days + 4).rem_euclid(7) as usize,
            hour: in_day / 3600,
            minute: in_day / 60 % 60,
            second: in_day % 60,
        }
    }
}

/// Year and zero-based day within it, of a day counted from 1970-01-01.
fn year_and_day(days: i64) -> (i64, i64) {
    // Never too late: a year has at least 365 days and at most 366.
    let mut year = 1970 + days.div_euclid(if days < 0 { 365 } else { 366 });
    while days >= days_before(year + 1) {
        year += 1;
    }
    (year, days - days_before(year))
}

/// Days from 1970-01-01 to the first of January of `year`.
fn days_before(year: i64) -> i64 {
    let leaps = |y: i64| y.div_euclid(4) - y.div_euclid(100) + y.div_euclid(400);
    (year - 1970) * 365 + leaps(year - 1) - leaps(1969)
}

fn days_in_month(year: i64, month: usize) -> i64 {
    match month {
        1 if year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) => 29,
        1 => 28,
        3 | 5 | 8 | 10 => 30,
        _ => 31,
    }
}

/// Formats a time by C's `strftime` directives; unknown ones stay as they are.
///
/// `seconds` outside of the years 1 to 9999 (Python's range) are clamped.
pub(super) fn strftime(seconds: i64, format: &str) -> String {
    let time = Civil::from_seconds(
        seconds.clamp(days_before(1) * SECONDS_PER_DAY, days_before(10_000) * SECONDS_PER_DAY - 1),
    );
    let mut out = String::with_capacity(format.len() + 16);
    let mut rest = format.chars();
    while let Some(c) = rest.next() {
        if c != '%' {
            out.push(c);
            continue;
        }
        let unpadded = rest.as_str().starts_with('-');
        if unpadded {
            rest.next();
        }
        match rest.next() {
            Some(directive) => out.push_str(&field(&time, directive, unpadded)),
            None => out.push('%'),
        }
    }
    out
}

fn field(time: &Civil, directive: char, unpadded: bool) -> String {
    let number = |value: i64, width: usize| {
        if unpadded { value.to_string() } else { format!("{value:0width$}") }
    };
    let hour12 = (time.hour + 11) % 12 + 1;
    let weekday = WEEKDAYS[time.weekday];
    let month = MONTHS[time.month - 1];
    match directive {
        'a' => weekday[..3].to_owned(),
        'A' => weekday.to_owned(),
        'b' | 'h' => month[..3].to_owned(),
        'B' => month.to_owned(),
        'd' => number(time.day, 2),
        'e' if unpadded => time.day.to_string(),
        'e' => format!("{:2}", time.day),
        'm' => number(time.month as i64, 2),
        'y' => number(time.year.rem_euclid(100), 2),
        'Y' => time.year.to_string(),
        'H' => number(time.hour, 2),
        'I' => number(hour12, 2),
        'M' => number(time.minute, 2),
        'S' => number(time.second, 2),
        'f' => "000000".to_owned(),
        'p' => if time.hour < 12 { "AM" } else { "PM" }.to_owned(),
        'j' => number(time.day_of_year, 3),
        'w' => time.weekday.to_string(),
        'u' => ((time.weekday + 6) % 7 + 1).to_string(),
        'F' => format!("{}-{:02}-{:02}", time.year, time.month, time.day),
        'T' | 'X' => format!("{:02}:{:02}:{:02}", time.hour, time.minute, time.second),
        'R' => format!("{:02}:{:02}", time.hour, time.minute),
        'D' | 'x' => {
            format!("{:02}/{:02}/{:02}", time.month, time.day, time.year.rem_euclid(100))
        }
        'c' => format!(
            "{} {} {:2} {:02}:{:02}:{:02} {}",
            &weekday[..3],
            &month[..3],
            time.day,
            time.hour,
            time.minute,
            time.second,
            time.year
        ),
        // Python's naive datetime has no zone.
        'z' | 'Z' => String::new(),
        'n' => "\n".to_owned(),
        't' => "\t".to_owned(),
        '%' => "%".to_owned(),
        other => format!("%{}{other}", if unpadded { "-" } else { "" }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn formats_known_dates() {
        // `date -u -d @N` is the reference.
        for (seconds, expected) in [
            (0, "1970-01-01 00:00:00 Thu 001"),
            (951_782_400, "2000-02-29 00:00:00 Tue 060"),
            (1_709_251_199, "2024-02-29 23:59:59 Thu 060"),
            (1_795_437_296, "2026-11-23 12:34:56 Mon 327"),
            (4_107_542_400, "2100-03-01 00:00:00 Mon 060"),
            (-1, "1969-12-31 23:59:59 Wed 365"),
        ] {
            assert_eq!(strftime(seconds, "%Y-%m-%d %H:%M:%S %a %j"), expected);
            assert_eq!(strftime(seconds, "%F %T %a %j"), expected);
        }
    }

    #[test]
    fn formats_every_directive() {
        let noon = 1_788_610_096; // 2026-09-05 12:08:16, a Saturday
        assert_eq!(strftime(noon, "%A, %d %B %Y"), "Saturday, 05 September 2026");
        assert_eq!(strftime(noon, "%-d %b %y, %I:%M %p"), "5 Sep 26, 12:08 PM");
        assert_eq!(strftime(noon, "%e|%-e|%u|%w|%-m|%R|%D"), " 5|5|6|6|9|12:08|09/05/26");
        assert_eq!(strftime(noon, "%c%%%n%t%Q%-Q%Z"), "Sat Sep  5 12:08:16 2026%\n\t%Q%-Q");
        assert_eq!(strftime(noon, "é 100%"), "é 100%");
        assert_eq!(strftime(noon - 12 * 3600, "%I %p"), "12 AM");
    }

    #[test]
    fn clamps_absurd_times() {
        assert_eq!(strftime(i64::MAX, "%Y-%m-%d"), "9999-12-31");
        assert_eq!(strftime(i64::MIN, "%Y-%m-%d"), "1-01-01");
    }
}
