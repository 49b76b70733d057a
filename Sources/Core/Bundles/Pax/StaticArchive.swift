/// Stands in for libarchive's own function, which words an error about a kind of file that a format cannot hold.
///
/// That function shares an object file with the table of all formats, so calling it from the pax writer would link every
/// format of libarchive with its libraries (libxml2, nettle, bzip2). DESIGN section 3 links named formats only. Entries of
/// such kinds never reach the pax writer: ``ArchiveEntry/isArchived``. Source: libarchive 3.6.2,
/// archive_write_set_format.c.
@_cdecl("__archive_write_entry_filetype_unsupported")
func entryFileTypeIsUnsupported(_: OpaquePointer?, _: OpaquePointer?, _: UnsafePointer<CChar>?) {}
