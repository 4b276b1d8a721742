package diag

// Code is the stable name of a kind of Diagnostic: kebab words, the subject first. Every code stands in [Codes].
type Code string

// Info explains a Code, as `vnetc explain` prints it. Bad and Good are complete inputs: Bad draws this code, Good does not.
type Info struct {
	Code  Code
	Title string // one line, lower case
	Text  string // why the rule exists and what to do, in sentences
	Bad   string
	Good  string
}

// Codes returns the table of all codes, by theme.
func Codes() []Info {
	var all []Info
	for _, part := range [][]Info{} {
		all = append(all, part...)
	}
	return all
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
