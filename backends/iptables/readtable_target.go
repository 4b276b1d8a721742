package iptables

import "github.com/vnetc/vnetc/ir"

// targetTable has the targets of iptables; see matchTable.
var targetTable = [...]extension{
	{name: "AUDIT", options: "type=iword(accept,drop,reject)", rules: "all:type"},
	{name: "CHECKSUM", where: "mangle", options: "checksum-fill", rules: "all:checksum-fill"},
	{
		name: "CLASSIFY", where: "/FORWARD,OUTPUT,POSTROUTING",
		options: "set-class=class",
		rules:   "all:set-class",
	},
	{
		name: "CLUSTERIP", family: ir.IPv4,
		options: "new hashmode=word(sourceip,sourceip-sourceport,sourceip-sourceport-destport) clustermac=mac " +
			"total-nodes=u16 local-node=u16 hash-init=u32",
		rules: "need:new,hashmode need:new,clustermac need:new,total-nodes need:new,local-node",
	},
	{
		name: "CONNMARK",
		options: "set-xmark=mask32 save-mark restore-mark ctmask=u32 nfmask=u32 mask=u32 set-mark=mask32 and-mark=u32 " +
			"or-mark=u32 xor-mark=u32 left-shift-mark=n(0-31) right-shift-mark=n(0-31)",
		rules: "any:set-xmark,save-mark,restore-mark,set-mark,and-mark,or-mark,xor-mark " +
			"one:set-xmark,save-mark,restore-mark,set-mark,and-mark,or-mark,xor-mark one:mask,ctmask " +
			"one:mask,nfmask",
	},
	{
		name: "CONNSECMARK", where: "mangle,security",
		options: "save restore",
		rules:   "any:* one:save,restore",
	},
	{
		name: "CT", where: "raw",
		options: "notrack helper=any timeout=any " +
			"ctevents=list(new,related,destroy,reply,assured,protoinfo,helper,mark,natseqinfo,secmark) " +
			"expevents=list(new) zone=zone zone-orig=zone zone-reply=zone",
	},
	{
		name: "DNAT", where: "nat/PREROUTING,OUTPUT",
		options: "to-destination=dnat random persistent",
		rules:   "all:to-destination",
	},
	{
		name: "DNPT", family: ir.IPv6, where: "mangle/PREROUTING,OUTPUT",
		options: "src-pfx=prefix dst-pfx=prefix",
		rules:   "all:src-pfx,dst-pfx",
	},
	{
		name: "DSCP", where: "mangle",
		options: "set-dscp=n(0-63) set-dscp-class=dscpclass",
		rules:   "any:* one:set-dscp,set-dscp-class",
	},
	{
		name: "ECN", family: ir.IPv4, where: "mangle",
		options: "ecn-tcp-remove ecn-tcp-cwr=n(0-1) ecn-tcp-ece=n(0-1) ecn-ip-ect=n(0-3)",
		rules:   "any:* one:ecn-tcp-remove,ecn-tcp-cwr one:ecn-tcp-remove,ecn-tcp-ece",
		check:   checkECN,
	},
	{
		name: "HL", family: ir.IPv6, where: "mangle",
		options: "hl-set=u8 hl-dec=n(1-255) hl-inc=n(1-255)",
		rules:   "any:* one:hl-set,hl-dec,hl-inc",
	},
	{
		name: "HMARK",
		options: "hmark-tuple=hmarktuple hmark-mod=n(1-4294967295) hmark-offset=u32 hmark-rnd=u32 " +
			"hmark-src-prefix=plenmask hmark-dst-prefix=plenmask hmark-sport-mask=u16 hmark-dport-mask=u16 " +
			"hmark-spi-mask=u32 hmark-sport=u16 hmark-dport=u16 hmark-spi=u32 hmark-proto-mask=u16",
		check: checkHMARK,
	},
	{
		name:    "IDLETIMER",
		options: "timeout=n(1-2147482) label=filename alarm",
		rules:   "all:timeout,label",
	},
	{
		name:    "LED",
		options: "led-trigger-id=any led-delay=leddelay led-always-blink",
		rules:   "all:led-trigger-id",
	},
	{
		name:    "LOG",
		options: "log-level=level log-prefix=str log-tcp-sequence log-tcp-options log-ip-options log-uid log-macdecode",
	},
	{
		name:    "MARK",
		options: "set-xmark=mask32 set-mark=mask32 and-mark=u32 or-mark=u32 xor-mark=u32",
		rules:   "any:* one:set-xmark,set-mark,and-mark,or-mark,xor-mark",
	},
	{
		name: "MASQUERADE", where: "nat/POSTROUTING",
		options: "to-ports=natports random random-fully",
	},
	{name: "NETMAP", where: "nat", options: "to=net", rules: "all:to"},
	{
		name:    "NFLOG",
		options: "nflog-group=u16 nflog-range=u32 nflog-size=u32 nflog-threshold=u16 nflog-prefix=str",
		rules:   "one:nflog-range,nflog-size",
	},
	{
		name:    "NFQUEUE",
		options: "queue-num=u16 queue-balance=queues queue-bypass queue-cpu-fanout",
		rules:   "one:queue-num,queue-balance need:queue-cpu-fanout,queue-balance",
	},
	{name: "NOTRACK", where: "raw"},
	{
		name:    "RATEEST",
		options: "rateest-name=any rateest-interval=estimate rateest-ewmalog=estimate",
		rules:   "all:rateest-name,rateest-interval,rateest-ewmalog",
		check:   checkRateest,
	},
	{name: "REDIRECT", where: "nat/PREROUTING,OUTPUT", options: "to-ports=natports random"},
	{name: "REJECT", where: "filter", options: "reject-with=reject", check: checkReject},
	{name: "SECMARK", where: "mangle,security", options: "selctx=str", rules: "all:selctx"},
	{
		name:    "SET",
		options: "add-set=any+any del-set=any+any map-set=any+any exist timeout=u32 map-mark map-prio map-queue",
		rules:   "any:add-set,del-set,map-set",
	},
	{
		name: "SNAT", where: "nat/INPUT,POSTROUTING",
		options: "to-source=snat random random-fully persistent",
		rules:   "all:to-source",
	},
	{
		name: "SNPT", family: ir.IPv6, where: "mangle/INPUT,POSTROUTING",
		options: "src-pfx=prefix dst-pfx=prefix",
		rules:   "all:src-pfx,dst-pfx",
	},
	{
		name: "SYNPROXY", proto: "tcp", where: "/INPUT,FORWARD",
		options: "sack-perm timestamp wscale=u32 mss=u32 ecn",
	},
	{
		name: "TCPMSS", proto: "tcp",
		options: "set-mss=n(0-65515) clamp-mss-to-pmtu",
		rules:   "any:* at:clamp-mss-to-pmtu,FORWARD,OUTPUT,POSTROUTING",
	},
	{name: "TCPOPTSTRIP", proto: "tcp", where: "mangle", options: "strip-options=tcpoptions"},
	{name: "TEE", options: "gateway=gateway oif=any", rules: "all:gateway"},
	{
		name: "TOS", where: "mangle",
		options: "set-tos=tos and-tos=u8 or-tos=u8 xor-tos=u8",
		rules:   "any:* one:set-tos,and-tos,or-tos,xor-tos",
	},
	{
		name: "TPROXY", proto: "tcp,udp", where: "mangle/PREROUTING",
		options: "on-port=port on-ip=addr tproxy-mark=mask32",
		rules:   "all:on-port",
	},
	{name: "TRACE"},
	{
		name: "TTL", family: ir.IPv4, where: "mangle",
		options: "ttl-set=u8 ttl-dec=n(1-255) ttl-inc=n(1-255)",
		rules:   "any:* one:ttl-set,ttl-dec,ttl-inc",
	},
	{
		name: "ULOG", family: ir.IPv4,
		options: "ulog-nlgroup=n(1-32) ulog-cprange=u32 ulog-qthreshold=n(1-50) ulog-prefix=str",
	},
	{name: "ACCEPT"},
	{name: "DROP"},
	{name: "RETURN"},
	{name: "QUEUE"},
}
