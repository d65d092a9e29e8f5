import CLinux
import CNftnl
import Netlink

/// libnftnl's set with the elements that were put into it; all is freed when its owner goes out of scope.
@safe struct SetObject: ~Copyable {
    private let pointer: OpaquePointer

    init() throws(NftablesError) { unsafe pointer = unsafe try allocated(nftnl_set_alloc()) }

    deinit { unsafe nftnl_set_free(pointer) }

    /// Only what names it, as requests about its elements have it.
    init(naming set: NamedSet) throws(NftablesError) {
        try self.init()
        put(NFTNL_SET_TABLE, set.table.name)
        put(NFTNL_SET_NAME, set.name)
    }

    /// - Parameter identifier: A number that no other set of the batch has.
    init(_ set: NamedSet, identifier: UInt32) throws(NftablesError) {
        try self.init(naming: set)
        put(NFTNL_SET_ID, identifier)
        var flags = set.flags.rawValue
        let key = Concatenation(types: set.key)
        put(NFTNL_SET_KEY_TYPE, key.identifier)
        put(NFTNL_SET_KEY_LEN, UInt32(key.length))
        switch set.content {
        case .nothing: break
        case .data(let types):
            let data = Concatenation(types: types)
            flags |= NFT_SET_MAP.rawValue
            put(NFTNL_SET_DATA_TYPE, data.identifier)
            put(NFTNL_SET_DATA_LEN, UInt32(data.length))
        case .verdict:
            flags |= NFT_SET_MAP.rawValue
            put(NFTNL_SET_DATA_TYPE, UInt32(NFT_DATA_VERDICT.rawValue))
            put(NFTNL_SET_DATA_LEN, 0)
        }
        if set.flags.contains(.interval), set.key.count > 1 {
            // The kernel's pipapo set looks up each field by itself, so it has to know where they end.
            flags |= NFT_SET_CONCAT.rawValue
            let lengths = set.key.map { UInt8(truncatingIfNeeded: $0.length) }
            unsafe nftnl_set_set_data(pointer, UInt16(NFTNL_SET_DESC_CONCAT.rawValue), lengths, UInt32(lengths.count))
        }
        put(NFTNL_SET_FLAGS, flags)
        if let size = set.size { put(NFTNL_SET_DESC_SIZE, size) }
        let userData = Self.userData(of: set)
        unsafe nftnl_set_set_data(
            pointer, UInt16(NFTNL_SET_USERDATA.rawValue), userData.bytes, UInt32(userData.bytes.count))
    }

    /// What `nft list` needs in order to print the elements: without the byte order it prints numbers backwards.
    private static func userData(of set: NamedSet) -> UserData {
        var userData = UserData()
        userData.put(NFTNL_UDATA_SET_KEYBYTEORDER.rawValue, Concatenation(types: set.key).order.rawValue)
        switch set.content {
        case .nothing: break
        case .data(let types):
            userData.put(NFTNL_UDATA_SET_DATABYTEORDER.rawValue, Concatenation(types: types).order.rawValue)
        case .verdict:
            userData.put(NFTNL_UDATA_SET_DATABYTEORDER.rawValue, DataType.ByteOrder.none.rawValue)
        }
        if set.content != .nothing { userData.put(NFTNL_UDATA_SET_DATA_INTERVAL.rawValue, 0) }
        if let comment = set.comment { userData.put(NFTNL_UDATA_SET_COMMENT.rawValue, comment) }
        return userData
    }

    borrowing func write(to header: UnsafeMutablePointer<nlmsghdr>) {
        unsafe nftnl_set_nlmsg_build_payload(header, pointer)
    }

    private func put(_ attribute: nftnl_set_attr, _ number: UInt32) {
        unsafe nftnl_set_set_u32(pointer, UInt16(attribute.rawValue), number)
    }

    private func put(_ attribute: nftnl_set_attr, _ text: String) {
        unsafe nftnl_set_set_str(pointer, UInt16(attribute.rawValue), text)
    }
}

// MARK: Elements

extension SetObject {
    borrowing func append(_ element: StoredElement) throws(NftablesError) {
        let object = unsafe try allocated(nftnl_set_elem_alloc())
        unsafe nftnl_set_elem_set(object, UInt16(NFTNL_SET_ELEM_KEY), element.key, UInt32(element.key.count))
        if !element.end.isEmpty {
            unsafe nftnl_set_elem_set(object, UInt16(NFTNL_SET_ELEM_KEY_END), element.end, UInt32(element.end.count))
        }
        if element.isEnd {
            unsafe nftnl_set_elem_set_u32(object, UInt16(NFTNL_SET_ELEM_FLAGS), NFT_SET_ELEM_INTERVAL_END.rawValue)
        }
        if !element.data.isEmpty {
            unsafe nftnl_set_elem_set(object, UInt16(NFTNL_SET_ELEM_DATA), element.data, UInt32(element.data.count))
        }
        if let verdict = element.verdict {
            unsafe nftnl_set_elem_set_u32(object, UInt16(NFTNL_SET_ELEM_VERDICT), UInt32(bitPattern: verdict.code))
            if let chain = verdict.chain { unsafe nftnl_set_elem_set_str(object, UInt16(NFTNL_SET_ELEM_CHAIN), chain) }
        }
        let userData = element.userData.bytes
        if !userData.isEmpty {
            unsafe nftnl_set_elem_set(object, UInt16(NFTNL_SET_ELEM_USERDATA), userData, UInt32(userData.count))
        }
        unsafe nftnl_set_elem_add(pointer, object)
    }

    /// Calls `message` for each message that the elements take, and there `write` exactly once.
    ///
    /// libnftnl ends a message before the list of elements, one attribute, would pass 65,535 bytes.
    borrowing func writeElements<Failure: Error>(
        _ message: ((UnsafeMutablePointer<nlmsghdr>) -> Void) throws(Failure) -> Void
    ) throws(Failure) {
        guard let iterator = unsafe nftnl_set_elems_iter_create(pointer) else { return }
        defer { unsafe nftnl_set_elems_iter_destroy(iterator) }
        var more = true
        while more {
            unsafe try message { more = unsafe nftnl_set_elems_nlmsg_build_payload_iter($0, iterator) > 0 }
        }
    }

    /// Reads the elements of one message of a list.
    static func readElements(_ message: NetlinkMessage) throws(NftablesError) -> [StoredElement] {
        let object = try SetObject()
        guard unsafe message.parse({ unsafe nftnl_set_elems_nlmsg_parse($0, object.pointer) }) else { return [] }
        let iterator = unsafe try allocated(nftnl_set_elems_iter_create(object.pointer))
        defer { unsafe nftnl_set_elems_iter_destroy(iterator) }
        var elements: [StoredElement] = []
        while let element = unsafe nftnl_set_elems_iter_next(iterator) {
            unsafe elements.append(StoredElement(reading: element))
        }
        return elements
    }
}

extension StoredElement {
    fileprivate init(reading object: OpaquePointer) {
        func data(_ attribute: Int) -> [UInt8] {
            var length: UInt32 = 0
            return unsafe lentBytes(nftnl_set_elem_get(object, UInt16(attribute), &length), length)
        }
        func number(_ attribute: Int) -> UInt32 {
            unsafe nftnl_set_elem_is_set(object, UInt16(attribute))
                ? nftnl_set_elem_get_u32(object, UInt16(attribute)) : 0
        }
        key = data(NFTNL_SET_ELEM_KEY)
        end = data(NFTNL_SET_ELEM_KEY_END)
        isEnd = number(NFTNL_SET_ELEM_FLAGS) & NFT_SET_ELEM_INTERVAL_END.rawValue != 0
        if unsafe nftnl_set_elem_is_set(object, UInt16(NFTNL_SET_ELEM_VERDICT)) {
            verdict = unsafe Verdict(
                code: Int32(bitPattern: number(NFTNL_SET_ELEM_VERDICT)),
                chain: lentText(nftnl_set_elem_get_str(object, UInt16(NFTNL_SET_ELEM_CHAIN))))
        } else {
            self.data = data(NFTNL_SET_ELEM_DATA)
        }
        userData = UserData(data(NFTNL_SET_ELEM_USERDATA))
    }
}

// MARK: Reading a set

extension SetObject {
    /// Reads the kernel's description; nil when the message is none.
    static func read(_ message: NetlinkMessage) throws(NftablesError) -> NamedSet? {
        let object = try SetObject()
        guard unsafe message.parse({ unsafe nftnl_set_nlmsg_parse($0, object.pointer) }) else { return nil }
        return object.value
    }

    private var value: NamedSet? {
        guard let name = string(NFTNL_SET_NAME), let table = string(NFTNL_SET_TABLE) else { return nil }
        let family = Family(rawValue: UInt8(truncatingIfNeeded: number(NFTNL_SET_FAMILY)))
        let flags = number(NFTNL_SET_FLAGS)
        var content = NamedSet.Content.nothing
        if flags & NFT_SET_MAP.rawValue != 0 {
            let type = number(NFTNL_SET_DATA_TYPE)
            content =
                type == UInt32(NFT_DATA_VERDICT.rawValue)
                ? .verdict : .data(Concatenation.types(of: type, length: Int(number(NFTNL_SET_DATA_LEN))))
        }
        var length: UInt32 = 0
        let userData = unsafe UserData(
            lentBytes(nftnl_set_get_data(pointer, UInt16(NFTNL_SET_USERDATA.rawValue), &length), length))
        let size = number(NFTNL_SET_DESC_SIZE)
        return unsafe NamedSet(
            name, in: Table.Reference(family, table),
            Concatenation.types(of: number(NFTNL_SET_KEY_TYPE), length: Int(number(NFTNL_SET_KEY_LEN))), content,
            // What the rest of the description says already is no flag of ours.
            flags: NamedSet.Flags(rawValue: flags & ~(NFT_SET_MAP.rawValue | NFT_SET_CONCAT.rawValue)),
            size: size == 0 ? nil : size, comment: userData.text(NFTNL_UDATA_SET_COMMENT.rawValue),
            handle: nftnl_set_get_u64(pointer, UInt16(NFTNL_SET_HANDLE.rawValue)))
    }

    private func number(_ attribute: nftnl_set_attr) -> UInt32 {
        unsafe nftnl_set_is_set(pointer, UInt16(attribute.rawValue))
            ? nftnl_set_get_u32(pointer, UInt16(attribute.rawValue)) : 0
    }

    private func string(_ attribute: nftnl_set_attr) -> String? {
        unsafe lentText(nftnl_set_get_str(pointer, UInt16(attribute.rawValue)))
    }
}
