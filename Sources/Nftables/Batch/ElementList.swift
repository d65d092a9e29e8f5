import CLinux
import CNftnl
import Netlink

/// The elements of a message, by their places in it: the kernel tells where in a message it stumbled.
struct ElementList {
    /// For each element the offset behind the end of its attribute, from the beginning of the message.
    private var ends: [Int] = []

    var count: Int { ends.count }

    /// - Parameter message: A message about elements, from its header on; what is behind it does not matter.
    init(message: ArraySlice<UInt8>) {
        // The header of netlink, the header of nfnetlink, then attributes.
        let fixed = MemoryLayout<nlmsghdr>.size + MemoryLayout<nfgenmsg>.size
        for attribute in Attributes(message.dropFirst(fixed))
        where attribute.type == Int(NFTA_SET_ELEM_LIST_ELEMENTS.rawValue) {
            ends = attribute.nested.map { $0.payload.endIndex - message.startIndex }
            return
        }
    }

    /// Which element has the byte at an offset in it.
    func index(at offset: Int) -> Int? { ends.firstIndex { offset < $0 } }
}
