package iptables

import (
	"fmt"
	"math"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/vnetc/vnetc/ir"
)

// The checks of extensions whose options depend on one another in a way that extension.rules can't
// say.

// value returns what option name of in was given, "" if it was not.
func (s *ruleReader) value(in *instance, name string) string {
	for _, a := range s.args {
		if &s.loaded[a.in] == in && a.opt.names[0] == name {
			return a.value
		}
	}
	return ""
}

// has is true if option name was given to in.
func (in *instance) has(name string) bool { return in.seen&in.ext.option(name).bit != 0 }

// negated is true if option name was given with a ! before it.
func (in *instance) negated(name string) bool { return in.nots&in.ext.option(name).bit != 0 }

func checkCluster(s *ruleReader, in *instance) error {
	total, _ := parseUint(s.value(in, "cluster-total-nodes"), 32)
	node, _ := parseUint(s.value(in, "cluster-local-node"), 32)
	mask, _ := parseUint(s.value(in, "cluster-local-nodemask"), math.MaxUint32)
	if node > total || mask >= 1<<total {
		return fmt.Errorf("cluster has a node beyond its %d nodes", total)
	}
	return nil
}

// checkHashlimit wants a burst that is not below a rate of bytes.
func checkHashlimit(s *ruleReader, in *instance) error {
	rate := s.value(in, "hashlimit-upto") + s.value(in, "hashlimit-above")
	burst := s.value(in, "hashlimit-burst")
	if byteRate.MatchString(rate) && burst != "" && byteCount(burst) < byteCount(rate) {
		return fmt.Errorf("hashlimit with --hashlimit-burst %s below its rate %s", burst, rate)
	}
	return nil
}

// byteCount reads a number with a unit of bytes.
func byteCount(text string) uint64 {
	n, rest, _ := strtoul(text)
	switch strings.ToLower(rest[:min(1, len(rest))]) {
	case "k":
		return n << 10
	case "m":
		return n << 20
	case "g":
		return n << 30
	}
	return n
}

// checkString wants something to look for, in a range that is not reversed.
func checkString(s *ruleReader, in *instance) error {
	from, _ := parseUint(s.value(in, "from"), math.MaxUint16)
	to, ok := parseUint(s.value(in, "to"), math.MaxUint16)
	if ok && from > to || s.value(in, "string")+s.value(in, "hex-string") == "" {
		return fmt.Errorf("string with nothing to look for, or nowhere")
	}
	return nil
}

func checkECNMatch(s *ruleReader, in *instance) error {
	if (in.has("ecn-tcp-cwr") || in.has("ecn-tcp-ece")) && (s.number != ir.TCP || s.protocolNot) {
		return fmt.Errorf("ecn with bits of TCP needs -p tcp")
	}
	return nil
}

func checkECN(s *ruleReader, in *instance) error {
	if in.seen != in.ext.option("ecn-ip-ect").bit && (s.number != ir.TCP || s.protocolNot) {
		return fmt.Errorf("ECN with bits of TCP needs -p tcp")
	}
	return nil
}

// checkPhysdev keeps matches of the port by which a packet leaves away from the hook where none is
// chosen yet.
func checkPhysdev(s *ruleReader, in *instance) error {
	bridged := in.has("physdev-is-bridged") && !in.negated("physdev-is-bridged")
	if (in.has("physdev-out") || in.has("physdev-is-out")) && !bridged {
		s.place = s.place.within(hooksOf([]string{"PREROUTING", "INPUT", "FORWARD", "POSTROUTING"}))
	}
	return nil
}

// checkPolicy walks the elements of a policy, which --next parts.
func checkPolicy(s *ruleReader, in *instance) error {
	strict, none := in.has("strict"), s.value(in, "pol") == "none"
	switch {
	case s.value(in, "dir") == "":
		return fmt.Errorf("policy without --dir")
	case strict && none:
		return fmt.Errorf("policy with --pol none and --strict")
	}
	hooks := []string{"PREROUTING", "INPUT", "FORWARD"}
	if s.value(in, "dir") == "out" {
		hooks = []string{"FORWARD", "OUTPUT", "POSTROUTING"}
	}
	s.place = s.place.within(hooksOf(hooks))
	elements := []map[string]string{{}}
	for _, a := range s.args {
		if &s.loaded[a.in] != in {
			continue
		}
		last := elements[len(elements)-1]
		name := a.opt.names[0]
		switch _, again := last[name]; {
		case name == "next":
			elements = append(elements, map[string]string{})
		case again || slices.Contains([]string{"dir", "pol", "strict"}, name) && len(elements) > 1:
			return fmt.Errorf("option --%s appears twice", name)
		default:
			last[name] = a.value
		}
	}
	if len(elements) > 4 {
		return fmt.Errorf("a policy of more than 4 elements")
	}
	for i, e := range elements {
		set := len(e)
		if i == 0 {
			for _, name := range [...]string{"dir", "pol", "strict"} {
				if _, ok := e[name]; ok {
					set--
				}
			}
		}
		tunnel := e["tunnel-src"] != "" || e["tunnel-dst"] != ""
		switch p, _ := parseProtocol(e["proto"]); {
		case strict && set == 0:
			return fmt.Errorf("a policy with an empty element")
		case tunnel && e["mode"] != "tunnel":
			return fmt.Errorf("policy with the ends of a tunnel needs --mode tunnel")
		case e["proto"] != "" && p != 50 && p != 51 && p != 108:
			return fmt.Errorf("policy takes protocol ah, esp or ipcomp")
		}
	}
	return nil
}

func checkRouting(s *ruleReader, in *instance) error {
	first := in.ext.bits("rt-0-res", "rt-0-addrs", "rt-0-not-strict")
	typ, _ := parseUint(s.value(in, "rt-type"), math.MaxUint32)
	if in.seen&first != 0 && (typ != 0 || in.negated("rt-type")) {
		return fmt.Errorf("rt with %s needs --rt-type 0", in.ext.list(in.seen&first))
	}
	return nil
}

func checkStatistic(s *ruleReader, in *instance) error {
	random := s.value(in, "mode") == "random"
	every, _ := parseUint(s.value(in, "every"), math.MaxUint32)
	packet, _ := parseUint(s.value(in, "packet"), math.MaxUint32)
	switch {
	case random && !in.has("probability"):
		return fmt.Errorf("statistic of mode random without --probability")
	case !random && !in.has("every"):
		return fmt.Errorf("statistic of mode nth without --every")
	case !random && packet >= every:
		return fmt.Errorf("statistic with --packet %d, which is not below --every %d", packet, every)
	}
	return nil
}

func checkTime(s *ruleReader, in *instance) error {
	seconds := func(text string, missing int) int {
		if text == "" {
			return missing
		}
		n := 0
		parts := strings.Split(text, ":")
		for i := range 3 {
			n *= 60
			if i < len(parts) {
				x, _ := strconv.Atoi(parts[i])
				n += x
			}
		}
		return n
	}
	if in.has("contiguous") && seconds(s.value(in, "timestart"), 0) <= seconds(s.value(in, "timestop"), 24*3600-1) {
		return fmt.Errorf("time with --contiguous needs a stop before the start")
	}
	return nil
}

// checkHMARK wants what is hashed: as a tuple, or by single masks.
func checkHMARK(s *ruleReader, in *instance) error {
	parts := in.ext.bits("hmark-src-prefix", "hmark-dst-prefix", "hmark-sport-mask", "hmark-dport-mask",
		"hmark-spi-mask",
		"hmark-sport", "hmark-dport", "hmark-spi", "hmark-proto-mask")
	tuple := s.value(in, "hmark-tuple")
	words := strings.Split(tuple, ",")
	for word, option := range map[string]string{
		"src": "hmark-src-prefix", "dst": "hmark-dst-prefix", "sport": "hmark-sport-mask", "dport": "hmark-dport-mask",
		"spi": "hmark-spi-mask", "proto": "hmark-proto-mask",
	} {
		if slices.Contains(words, word) && in.has(option) {
			return fmt.Errorf("HMARK with --%s and %s in its tuple", option, word)
		}
	}
	switch {
	case !in.has("hmark-mod") || !in.has("hmark-rnd"):
		return fmt.Errorf("HMARK without --hmark-mod and --hmark-rnd")
	case tuple == "" && in.seen&parts == 0:
		return fmt.Errorf("HMARK without --hmark-tuple")
	case in.has("hmark-spi") && (in.has("hmark-sport") || in.has("hmark-dport")):
		return fmt.Errorf("HMARK with ports and the SPI")
	case in.has("hmark-spi-mask") && (in.has("hmark-sport-mask") || in.has("hmark-dport-mask")):
		return fmt.Errorf("HMARK with masks of ports and of the SPI")
	}
	return nil
}

var duration = regexp.MustCompile(`^([0-9.]+)(.*)$`)

// checkRateest keeps the time constant of an estimator within what the kernel can do.
func checkRateest(s *ruleReader, in *instance) error {
	micro := func(text string) float64 {
		m := duration.FindStringSubmatch(text)
		n, _ := strconv.ParseFloat(m[1], 64)
		switch strings.ToLower(m[2][:min(1, len(m[2]))]) {
		case "s":
			return n * 1e6
		case "m":
			return n * 1e3
		}
		return n
	}
	interval := micro(s.value(in, "rateest-interval"))
	if interval > 8e6 {
		return fmt.Errorf("RATEEST with --rateest-interval %s", s.value(in, "rateest-interval"))
	}
	steps := micro(s.value(in, "rateest-ewmalog")) / interval
	for log := 1; log < 32; log++ {
		w := 1 - 1/math.Pow(2, float64(log))
		if steps < -1/math.Log(w) {
			if log == 1 {
				break
			}
			return nil
		}
	}
	return fmt.Errorf("RATEEST with --rateest-ewmalog %s", s.value(in, "rateest-ewmalog"))
}

func checkReject(s *ruleReader, in *instance) error {
	reset := in.seen != 0 && rejectCode(s.value(in, "reject-with"), s.family) == ir.TCPReset
	if reset && (s.number != ir.TCP || s.protocolNot) {
		return fmt.Errorf("REJECT with tcp-reset needs -p tcp")
	}
	return nil
}
