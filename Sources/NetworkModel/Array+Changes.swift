extension Array where Element: Hashable {
    /// What another list without repetition does not have of this one, and what it has besides.
    @inlinable public func changes(to other: [Element]) -> (gone: [Element], new: [Element]) {
        // Of what may be thousands, an operation mostly changes a few in one place: the rest need not be sorted.
        var start = 0
        while start < count, start < other.count, self[start] == other[start] { start += 1 }
        var (end, otherEnd) = (count, other.count)
        while end > start, otherEnd > start, self[end - 1] == other[otherEnd - 1] {
            (end, otherEnd) = (end - 1, otherEnd - 1)
        }
        let (old, new) = (Set(self[start..<end]), Set(other[start..<otherEnd]))
        return (self[start..<end].filter { !new.contains($0) }, other[start..<otherEnd].filter { !old.contains($0) })
    }
}
