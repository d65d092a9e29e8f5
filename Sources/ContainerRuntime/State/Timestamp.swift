import CLinux

/// Moments as RFC 3339 writes them.
public enum Timestamp {
    /// Now, in UTC: with nanoseconds as runc's state has them, or without as its log lines do.
    public static func now(nanoseconds: Bool) -> String {
        var time = timespec()
        unsafe clock_gettime(CLOCK_REALTIME, &time)
        // By hand: the library would look for the host's time zone, which UTC has none of.
        let (days, seconds) = time.tv_sec.quotientAndRemainder(dividingBy: 86_400)
        let date = civilDate(days: days)
        let fraction = nanoseconds ? "." + padded(time.tv_nsec, 9) : ""
        let (hour, minute) = (padded(seconds / 3600, 2), padded(seconds / 60 % 60, 2))
        return "\(padded(date[0], 2))-\(padded(date[1], 2))-\(padded(date[2], 2))T"
            + "\(hour):\(minute):\(padded(seconds % 60, 2))\(fraction)Z"
    }

    /// Year, month and day of the Gregorian calendar, from days since 1970: years begin in March, so that the leap day is
    /// their last (Howard Hinnant, "chrono-Compatible Low-Level Date Algorithms").
    static func civilDate(days: Int) -> [Int] {
        let shifted = days + 719_468
        let era = shifted / 146_097
        let day = shifted % 146_097
        let year = (day - day / 1460 + day / 36_524 - day / 146_096) / 365
        let dayOfYear = day - (365 * year + year / 4 - year / 100)
        let month = (5 * dayOfYear + 2) / 153
        return [
            year + era * 400 + (month >= 10 ? 1 : 0), month < 10 ? month + 3 : month - 9,
            dayOfYear - (153 * month + 2) / 5 + 1,
        ]
    }

    private static func padded(_ number: Int, _ width: Int) -> String {
        let digits = "\(number)"
        return String(repeating: "0", count: max(0, width - digits.utf8.count)) + digits
    }
}
