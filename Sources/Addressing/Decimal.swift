extension FixedWidthInteger {
    /// Digits only: no sign, no leading zero, no white space, in range.
    init?(decimal digits: some Collection<UInt8>) {
        guard let first = digits.first, digits.count == 1 || first != UInt8(ascii: "0") else { return nil }
        var value: Self = 0
        for digit in digits {
            guard (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(digit) else { return nil }
            let (product, tooLarge) = value.multipliedReportingOverflow(by: 10)
            let (sum, overflow) = product.addingReportingOverflow(Self(digit - UInt8(ascii: "0")))
            guard !tooLarge && !overflow else { return nil }
            value = sum
        }
        self = value
    }
}
