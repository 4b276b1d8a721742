package netnstest

import (
	"regexp"
	"slices"
	"strings"
)

var (
	tableText   = regexp.MustCompile(`(?ms)^(table \S+ \S+ \{\n)(.*?)^\}\n`)
	objectText  = regexp.MustCompile(`(?ms)^\t\w+ \S+ \{.*?^\t\}\n|^\t\w.*?\n`)
	sizeText    = regexp.MustCompile(`(?m)^\s*size \d+\n`)
	elementText = regexp.MustCompile(`(?s)elements = \{(.*?)\}`)
)

// InOrder returns a listing of nft(8) with tables, what is in them, and the elements of sets in the
// order of their text, so that two that mean the same are the same. The size of sets is left out:
// they keep it when their elements go.
func InOrder(listing string) string {
	tables := tableText.FindAllStringSubmatch(listing, -1)
	texts := make([]string, len(tables))
	for i, t := range tables {
		body := elementText.ReplaceAllStringFunc(sizeText.ReplaceAllString(t[2], ""), elementsInOrder)
		objects := objectText.FindAllString(body, -1)
		slices.Sort(objects)
		texts[i] = t[1] + strings.Join(objects, "") + "}\n"
	}
	slices.Sort(texts)
	return strings.Join(texts, "")
}

func elementsInOrder(text string) string {
	all := strings.Split(elementText.FindStringSubmatch(text)[1], ",")
	for i := range all {
		all[i] = strings.TrimSpace(all[i])
	}
	slices.Sort(all)
	return "elements = { " + strings.Join(all, ",\n\t\t\t") + " }"
}
