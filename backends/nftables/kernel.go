package nftables

// Numbers of the kernel's include/uapi/linux/netfilter.h and netlink.h that package unix has not.
const (
	nfDrop   = 0
	nfAccept = 1
	nfQueue  = 3

	// nlaTypeMask clears the two flag bits of an attribute's type (include/uapi/linux/netlink.h).
	nlaTypeMask = 0x3fff
)
