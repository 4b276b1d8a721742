package wire

// Numbers of the kernel's include/uapi/linux/netfilter.h and netlink.h that package unix has not.
const (
	// The verdicts that end a packet's walk: NF_DROP, NF_ACCEPT, NF_QUEUE.
	VerdictDrop   = 0
	VerdictAccept = 1
	VerdictQueue  = 3

	// NfgenLen is the length of the header of nfnetlink, struct nfgenmsg.
	NfgenLen = 4

	// AttrTypeMask clears the two flag bits of an attribute's type (include/uapi/linux/netlink.h).
	AttrTypeMask = 0x3fff

	// FlagSetConcat marks sets whose keys have parts with a range each; AttrElemKeyEnd is the upper
	// end of such a key; FlagElemCatchall marks an element for all keys that no other has
	// (include/uapi/linux/netfilter/nf_tables.h).
	FlagSetConcat    = 0x80
	AttrElemKeyEnd   = 10
	FlagElemCatchall = 2

	// AttrSetExpr is what each element of a set does when it is found, AttrSetExpressions if that
	// is more than one thing; AttrElemExpressions is the same of one element
	// (include/uapi/linux/netfilter/nf_tables.h).
	AttrSetExpr         = 17
	AttrSetExpressions  = 18
	AttrElemExpressions = 11

	// AttrSetHandle is NFTA_SET_HANDLE, AttrFlowtableTable and AttrFlowtableName are
	// NFTA_FLOWTABLE_TABLE and NFTA_FLOWTABLE_NAME (include/uapi/linux/netfilter/nf_tables.h).
	AttrSetHandle      = 16
	AttrFlowtableTable = 1
	AttrFlowtableName  = 2
	// AttrFlowTableName is NFTA_FLOW_TABLE_NAME of the expression flow_offload.
	AttrFlowTableName = 1
)

// The most that goes into one message of elements: the length of a netlink attribute has sixteen
// bits.
const (
	MaxElements     = 500
	MaxElementBytes = 60_000
)
