package iptables

import "github.com/vnetc/vnetc/ir"

// matchTable has the matches of iptables 1.8.9, and targetTable the targets, as --help lists them
// and iptables-restore and the kernel take them; the test that feeds both the same lines says that
// they agree.
//
// In options, "!" is before one that can be negated, "/" between names of one option, "=" before
// the kinds of its values (see kinds), with a "+" between two, and a "?" before a kind that may be
// left out. In rules, "all:a,b" wants all of these options, "any:" one at least, "one:" one at
// most; "need:a,b" wants b where a stands, "after:a,b" wants it before; "at:a,HOOK,..." allows a in
// rules at these hooks.
var matchTable = [...]extension{
	{
		name:    "addrtype",
		options: "!src-type=types !dst-type=types limit-iface-in limit-iface-out",
		rules: "any:src-type,dst-type one:limit-iface-in,limit-iface-out at:limit-iface-in,PREROUTING,INPUT,FORWARD " +
			"at:limit-iface-out,FORWARD,OUTPUT,POSTROUTING",
	},
	{name: "ah", family: ir.IPv4, proto: "ah", options: "!ahspi=u32:"},
	{name: "ah", family: ir.IPv6, options: "!ahspi=u32: !ahlen=u32 ahres"},
	{
		name:    "bpf",
		options: "bytecode=bytecode object-pinned=any",
		rules:   "any:bytecode,object-pinned one:bytecode,object-pinned",
	},
	{
		name: "cgroup", where: "/INPUT,OUTPUT,POSTROUTING",
		options: "!path=any !cgroup=u32",
		rules:   "any:path,cgroup one:path,cgroup",
	},
	{
		name: "cluster",
		options: "cluster-total-nodes=n(1-32) !cluster-local-node=n(1-32) !cluster-local-nodemask=n(1-4294967295) " +
			"cluster-hash-seed=u32",
		rules: "all:cluster-total-nodes,cluster-hash-seed any:cluster-local-node,cluster-local-nodemask " +
			"one:cluster-local-node,cluster-local-nodemask",
		check: checkCluster,
	},
	{name: "comment", options: "comment=comment", rules: "all:comment"},
	{
		name: "connbytes",
		options: "!connbytes=u64rising connbytes-dir=word(original,reply,both) " +
			"connbytes-mode=word(packets,bytes,avgpkt)",
		rules: "all:connbytes,connbytes-dir,connbytes-mode",
	},
	{name: "connlabel", options: "!label=label set", rules: "all:label"},
	{
		name:    "connlimit",
		options: "!connlimit-upto=u32 !connlimit-above=u32 connlimit-mask=plenmask connlimit-saddr connlimit-daddr",
		rules: "any:connlimit-upto,connlimit-above one:connlimit-upto,connlimit-above " +
			"one:connlimit-saddr,connlimit-daddr",
	},
	{name: "connmark", options: "!mark=mask32", rules: "all:mark"},
	{
		name: "conntrack",
		options: "!ctstate=ctstate !ctproto=proto !ctorigsrc=net !ctorigdst=net !ctreplsrc=net !ctrepldst=net " +
			"!ctorigsrcport=port: !ctorigdstport=port: !ctreplsrcport=port: !ctrepldstport=port: " +
			"!ctstatus=starts(none,expected,seen_reply,assured,confirmed) !ctexpire=u32: " +
			"ctdir=iword(original,reply)",
		rules: "any:*",
	},
	{name: "cpu", options: "!cpu=u32", rules: "all:cpu"},
	{
		name: "dccp", proto: "dccp",
		options: "!source-port/sport=sport !destination-port/dport=dport " +
			"!dccp-types=ilist(request,response,data,ack,dataack,closereq,close,reset,sync,syncack,invalid) " +
			"!dccp-option=n(1-255)",
	},
	{
		name:    "devgroup",
		options: "!src-group=group !dst-group=group",
		rules: "any:src-group,dst-group at:src-group,PREROUTING,INPUT,FORWARD " +
			"at:dst-group,FORWARD,OUTPUT,POSTROUTING",
	},
	{
		name:    "dscp",
		options: "!dscp=n(0-63) !dscp-class=dscpclass",
		rules:   "any:dscp,dscp-class one:dscp,dscp-class",
	},
	{name: "dst", family: ir.IPv6, options: "!dst-len=u32 dst-opts=headeropts"},
	{
		name:    "ecn",
		options: "!ecn-tcp-cwr !ecn-tcp-ece !ecn-ip-ect=n(0-3)",
		rules:   "any:*",
		check:   checkECNMatch,
	},
	{name: "esp", proto: "esp", options: "!espspi=u32:"},
	{name: "eui64", family: ir.IPv6, where: "/PREROUTING,INPUT,FORWARD"},
	{
		name: "frag", family: ir.IPv6,
		options: "!fragid=u32: !fraglen=u32 fragres fragfirst fragmore fraglast",
		rules:   "one:fragmore,fraglast",
	},
	{
		name: "hashlimit",
		options: "!hashlimit-upto/hashlimit=hashrate !hashlimit-above=hashrate hashlimit-mode=hashmode " +
			"hashlimit-srcmask=plen hashlimit-dstmask=plen hashlimit-name=filename hashlimit-burst=hashburst " +
			"hashlimit-htable-size=u32 hashlimit-htable-max=u32 hashlimit-htable-gcinterval=u32 " +
			"hashlimit-htable-expire=u32 hashlimit-rate-match hashlimit-rate-interval=any",
		rules: "all:hashlimit-name any:hashlimit-upto,hashlimit-above one:hashlimit-upto,hashlimit-above",
		check: checkHashlimit,
	},
	{name: "hbh", family: ir.IPv6, options: "!hbh-len=u32 hbh-opts=headeropts"},
	{name: "helper", options: "!helper=any", rules: "all:helper"},
	{
		name: "hl", family: ir.IPv6,
		options: "!hl-eq/hl=u8 hl-lt=u8 hl-gt=u8",
		rules:   "any:* one:hl-eq,hl-lt,hl-gt",
	},
	{name: "icmp", family: ir.IPv4, proto: "icmp", options: "!icmp-type=icmptype", rules: "all:icmp-type"},
	{
		name: "icmp6", family: ir.IPv6, proto: "icmpv6",
		options: "!icmpv6-type=icmpv6type",
		rules:   "all:icmpv6-type",
	},
	{name: "ipcomp", proto: "ipcomp", options: "!ipcompspi=u32: compres"},
	{name: "iprange", options: "!src-range=srcrange !dst-range=dstrange", rules: "any:*"},
	{
		name: "ipv6header", family: ir.IPv6,
		options: "!header=headernames " +
			"soft",
		rules: "all:header",
	},
	{
		name: "ipvs",
		options: "!ipvs !vproto=proto !vaddr=net !vport=port vdir=iword(original,reply) !vmethod=iword(gate,ipip,masq) " +
			"!vportctl=port",
		rules: "any:*",
	},
	{name: "length", options: "!length=u16:", rules: "all:length"},
	{name: "limit", options: "limit=rate limit-burst=n(0-10000)", check: readLimit},
	{name: "mac", where: "/PREROUTING,INPUT,FORWARD", options: "!mac-source=mac", rules: "all:mac-source"},
	{name: "mark", options: "!mark=mark", rules: "all:mark"},
	{name: "mh", family: ir.IPv6, proto: "mh", options: "!mh-type=mhtype"},
	{
		name: "multiport", proto: "tcp,udp,udplite,sctp,dccp",
		options: "!source-ports/sports=sports !destination-ports/dports=dports !ports=ports",
		rules:   "any:* one:source-ports,destination-ports,ports",
	},
	{name: "nfacct", options: "nfacct-name=str", rules: "all:nfacct-name"},
	{
		name: "osf", family: ir.IPv4, proto: "tcp", where: "/PREROUTING,INPUT,FORWARD",
		options: "!genre=str ttl=n(0-2) log=n(0-2)",
		rules:   "all:genre",
	},
	{
		name: "owner", where: "/OUTPUT,POSTROUTING",
		options: "!uid-owner=id !gid-owner=id !socket-exists suppl-groups",
		rules:   "any:uid-owner,gid-owner,socket-exists after:suppl-groups,gid-owner",
	},
	{
		name:    "physdev",
		options: "!physdev-in=iface !physdev-out=iface !physdev-is-in !physdev-is-out !physdev-is-bridged",
		rules:   "any:*",
		check:   checkPhysdev,
	},
	{
		name:    "pkttype",
		options: "!pkt-type=iword(unicast,broadcast,multicast,otherhost,host,bcast,mcast)",
		rules:   "all:pkt-type",
	},
	{
		name: "policy", often: true,
		options: "dir=word(in,out) pol=word(none,ipsec) strict !reqid=u32 !spi=u32 !proto=proto " +
			"!mode=word(transport,tunnel) !tunnel-src=net !tunnel-dst=net next",
		rules: "need:next,strict",
		check: checkPolicy,
	},
	{name: "quota", options: "!quota=u64", rules: "all:quota"},
	{
		name: "rateest",
		options: "rateest1/rateest=any rateest2=any rateest-delta rateest-bps1=?bitrate " +
			"rateest-bps2/rateest-bps=?bitrate rateest-pps1=?u32 rateest-pps2/rateest-pps=?u32 !rateest-lt " +
			"!rateest-gt !rateest-eq",
		rules: "all:rateest1 any:rateest-lt,rateest-gt,rateest-eq " +
			"any:rateest-bps1,rateest-bps2,rateest-pps1,rateest-pps2",
	},
	{
		name: "realm", family: ir.IPv4, where: "/INPUT,FORWARD,OUTPUT,POSTROUTING",
		options: "!realm=group",
		rules:   "all:realm",
	},
	{
		name: "recent",
		options: "!set !rcheck !update !remove seconds=n(1-4294967295) reap hitcount=u16 rttl name=filename rsource " +
			"rdest mask=addr",
		rules: "any:set,rcheck,update,remove one:set,rcheck,update,remove need:reap,seconds one:reap,set " +
			"one:reap,remove one:rttl,set one:rttl,remove one:seconds,set one:seconds,remove one:hitcount,set " +
			"one:hitcount,remove",
	},
	{name: "rpfilter", where: "mangle,raw/PREROUTING", options: "loose validmark accept-local invert"},
	{
		name: "rt", family: ir.IPv6,
		options: "!rt-type=u32 !rt-segsleft=u32: !rt-len=u32 rt-0-res rt-0-addrs=addrs rt-0-not-strict",
		rules:   "after:rt-0-res,rt-type after:rt-0-addrs,rt-type after:rt-0-not-strict,rt-0-addrs",
		check:   checkRouting,
	},
	{
		name: "sctp", proto: "sctp",
		options: "!source-port/sport=sport !destination-port/dport=dport !chunk-types=iword(all,any,only)+chunks",
	},
	{
		name: "set",
		options: "!match-set=any+any return-nomatch !update-counters !update-subcounters !packets-eq=u64 " +
			"packets-lt=u64 packets-gt=u64 !bytes-eq=u64 bytes-lt=u64 bytes-gt=u64",
		rules: "all:match-set",
	},
	{name: "socket", where: "/PREROUTING,INPUT", options: "nowildcard transparent restore-skmark"},
	{
		name: "srh", family: ir.IPv6,
		options: "!srh-next-hdr=u8 !srh-hdr-len-eq=u8 !srh-hdr-len-gt=u8 !srh-hdr-len-lt=u8 !srh-segs-left-eq=u8 " +
			"!srh-segs-left-gt=u8 !srh-segs-left-lt=u8 !srh-last-entry-eq=u8 !srh-last-entry-gt=u8 " +
			"!srh-last-entry-lt=u8 !srh-tag=u16 !srh-psid=net !srh-nsid=net !srh-lsid=net",
	},
	{name: "state", options: "!state=state", rules: "all:state"},
	{
		name:    "statistic",
		options: "mode=word(random,nth) !probability=fraction !every=n(1-4294967295) packet=u32",
		rules:   "all:mode one:probability,every one:probability,packet need:every,packet need:packet,every",
		check:   checkStatistic,
	},
	{
		name:    "string",
		options: "from=u16 to=u16 algo=word(bm,kmp) !string=string128 !hex-string=hexstring icase",
		rules:   "all:algo any:string,hex-string one:string,hex-string",
		check:   checkString,
	},
	{
		name: "tcp", proto: "tcp",
		options: "!tcp-flags=tcpflags+tcpflagsset !syn !source-port/sport=sport !destination-port/dport=dport " +
			"!tcp-option=n(1-255)",
		rules: "one:tcp-flags,syn",
	},
	{name: "tcpmss", proto: "tcp", options: "!mss=u16rising", rules: "all:mss"},
	{
		name: "time",
		options: "datestart=date datestop=date timestart=time timestop=time !monthdays=monthdays !weekdays=weekdays " +
			"kerneltz/localtz utc contiguous",
		rules: "one:kerneltz,utc",
		check: checkTime,
	},
	{name: "tos", options: "!tos=tos", rules: "all:tos"},
	{
		name: "ttl", family: ir.IPv4,
		options: "!ttl-eq/ttl=u8 ttl-lt=u8 ttl-gt=u8",
		rules:   "any:* one:ttl-eq,ttl-lt,ttl-gt",
	},
	{name: "u32", options: "!u32=u32tests", rules: "all:u32"},
	{name: "udp", proto: "udp", options: "!source-port/sport=sport !destination-port/dport=dport"},
}

// foreignExtensions are those of xtables-addons, which hosts may have besides. Their options are
// kept as they stand.
const foreignExtensions = "account asn condition dhcpmac fuzzy geoip gradm iface ipp2p ipv4options " +
	"length2 lscan pknock psd quota2 ACCOUNT CHAOS DELUDE DHCPMAC DNETMAP ECHO IPMARK LOGMARK PROTO SYSRQ TARPIT"
