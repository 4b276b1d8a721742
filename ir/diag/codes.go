package diag

import "strings"

// Code is the stable name of a kind of Diagnostic: kebab words, the subject first. Every code
// stands in [Codes].
type Code string

// Info explains a Code, as `vnetc explain` prints it. Bad and Good are complete inputs: Bad draws
// this code, Good draws nothing. An input of several files is a txtar archive, in which a line such
// as "-- a.xml --" begins each file.
type Info struct {
	Code  Code   `json:"code"`
	Title string `json:"title"` // one line, lower case
	Text  string `json:"text"`  // why the rule exists and what to do, in sentences
	Bad   string `json:"bad"`
	Good  string `json:"good"`
}

// Codes returns the table of all codes, by theme.
func Codes() []Info {
	var all []Info
	for _, part := range [][]Info{
		xmlCodes(), metadataCodes(), schemaCodes(), nameCodes(), bridgeCodes(), forwardCodes(), natCodes(), ipCodes(),
		routeCodes(), dhcpCodes(), dhcpHostCodes(),
		dnsCodes(), portCodes(), vlanCodes(), irCodes(), backendCodes(), packetCodes(), policyCodes(), verifyCodes(),
		confCodes(), auditCodes(), doctorCodes(),
	} {
		all = append(all, part...)
	}
	return all
}

// AboutXML is true if the code's examples are network XML. Else they are what its first word says:
// programs in the IR's text form for ir and backend, packet expressions for packet, policies for
// policy and assert, files of that name for conf (network.conf). Those of verify are network XML
// that only vnetc verify has something to say about; audit and doctor have none.
func (i Info) AboutXML() bool {
	subject, _, _ := strings.Cut(string(i.Code), "-")
	switch subject {
	case "ir", "backend", "packet", "policy", "assert", "verify", "conf", "audit", "doctor":
		return false
	}
	return true
}

// Find returns the Info of code; ok is false if there is none.
func Find(code Code) (info Info, ok bool) {
	for _, i := range Codes() {
		if i.Code == code {
			return i, true
		}
	}
	return Info{}, false
}

// lab is a whole network of the lines that an example is about.
func lab(lines ...string) string { return named("lab", lines...) }

func named(name string, lines ...string) string {
	return "<network>\n  <name>" + name + "</name>\n" + strings.Join(indented(lines), "") + "</network>\n"
}

func indented(lines []string) []string {
	out := make([]string, len(lines))
	for i, line := range lines {
		out[i] = "  " + line + "\n"
	}
	return out
}

// pair is two networks in two files.
func pair(a, b []string) string {
	return "-- a.xml --\n" + named("a", a...) + "-- b.xml --\n" + named("b", b...)
}

// Lines that examples share.
const (
	anyIP   = "<ip address='192.168.122.1' prefix='24'/>"
	otherIP = "<ip address='192.168.123.1' prefix='24'/>"
	sixIP   = "<ip family='ipv6' address='fd00:1:2:3::1' prefix='64'/>"
	anyNAT  = "<forward mode='nat'/>"
)
