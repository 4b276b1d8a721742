package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"github.com/vnetc/vnetc/frontend/netxml"
	"github.com/vnetc/vnetc/ir/diag"
)

func newCheck(s streams) *cobra.Command {
	var lax bool
	var options optionFlags
	var format *choice
	var policies policyFlag
	cmd := &cobra.Command{
		Use:   "check PATH...",
		Short: "report what is wrong with network XML",
		Long: `check reads network XML and reports all errors and warnings, in all files
together. It makes no rules. Input that libvirt rejects is an error, and so is
input that libvirt accepts but that cannot work or is unsafe. With --format
json or sarif the diagnostics go to stdout.

Exit codes: 0 no errors, perhaps warnings; 1 errors; 2 wrong usage; 3 cannot
read.`,
		Example: `  vnetc check lab.xml
  vnetc check --format json lab.xml | jq -r '.[].code'
  vnetc check --format sarif networks/ > vnetc.sarif`,
		ValidArgsFunction: xmlPaths,
		RunE: func(_ *cobra.Command, paths []string) error {
			if len(paths) == 0 {
				return usagef("check needs at least one PATH, for example: vnetc check lab.xml")
			}
			return check(s, policies, netxml.Options{Lax: lax, AllowOption: options.allow()}, format.value, paths)
		},
	}
	format = addChoice(cmd, "format", "output format of the diagnostics", "text", "json", "sarif")
	cmd.Flags().BoolVar(&lax, "lax", false, "unknown elements and attributes are warnings, not errors")
	options.add(cmd)
	policies.add(cmd)
	return cmd
}

func check(s streams, policies policyFlag, opts netxml.Options, format string, paths []string) error {
	src, err := readSources(s.in, paths)
	if err != nil {
		return err
	}
	_, found, err := compileSources(src, policies, opts)
	if err != nil {
		return err
	}
	switch format {
	case "text":
		err = diag.Text(s.err, found, src, diag.TextOptions{Color: s.color, Max: maxShown})
		if err == nil {
			_, err = fmt.Fprintf(s.out, "%s: %s, %s\n", plural(len(src.Names()), "file"),
				plural(found.Count(diag.Error), "error"), plural(found.Count(diag.Warning), "warning"))
		}
	case "json":
		err = diag.JSON(s.out, found)
	case "sarif":
		err = diag.SARIF(s.out, found, src, version())
	}
	if err != nil {
		return hostf("%v", err)
	}
	if found.HasErrors() {
		return exitError{code: exitNo}
	}
	return nil
}
