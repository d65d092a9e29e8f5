import CLinux

/// This moment as RFC 3339 writes it, in UTC, to the millisecond: `2026-11-21T16:04:05.123Z`.
enum MomentText {
    static func now() -> String {
        var time = timespec()
        clock_gettime(CLOCK_REALTIME, &time)
        var parts = tm()
        gmtime_r(&time.tv_sec, &parts)
        func digits(_ number: Int, _ width: Int) -> String {
            let text = String(number)
            return String(repeating: "0", count: max(0, width - text.count)) + text
        }
        let date = [Int(parts.tm_year) + 1900, Int(parts.tm_mon) + 1, Int(parts.tm_mday)].map { digits($0, 2) }
        let clock = [parts.tm_hour, parts.tm_min, parts.tm_sec].map { digits(Int($0), 2) }
        return date.joined(separator: "-") + "T" + clock.joined(separator: ":") + "."
            + digits(Int(time.tv_nsec) / 1_000_000, 3) + "Z"
    }
}
