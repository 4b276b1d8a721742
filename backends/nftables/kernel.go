package nftables

// Numbers of the kernel's include/uapi/linux/netfilter.h and netlink.h that package unix has not.
const (
	nfDrop   = 0
	nfAccept = 1
	nfQueue  = 3

	// nlaTypeMask clears the two flag bits of an attribute's type (include/uapi/linux/netlink.h).
	nlaTypeMask = 0x3fff

	// nftSetConcat marks sets whose keys have parts with a range each; nftaSetElemKeyEnd is the upper end of such a key;
	// nftSetElemCatchall marks an element for all keys that no other has (include/uapi/linux/netfilter/nf_tables.h).
	nftSetConcat       = 0x80
	nftaSetElemKeyEnd  = 10
	nftSetElemCatchall = 2

	// nftaSetExpr is what each element of a set does when it is found, nftaSetExpressions if that is more than one thing;
	// nftaSetElemExpressions is the same of one element (include/uapi/linux/netfilter/nf_tables.h).
	nftaSetExpr            = 17
	nftaSetExpressions     = 18
	nftaSetElemExpressions = 11
)
