package main

import (
	"errors"
	"io"

	"github.com/vnetc/vnetc/frontend"
	"github.com/vnetc/vnetc/frontend/docpath"
	"github.com/vnetc/vnetc/frontend/netxml"
	"github.com/vnetc/vnetc/ir"
	"github.com/vnetc/vnetc/ir/diag"
)

// readSources reads every PATH.
func readSources(in io.Reader, paths []string) (*diag.Sources, error) {
	src, err := docpath.Read(in, paths)
	return src, readError(err)
}

// readError tells wrong usage from what the host would not read.
func readError(err error) error {
	if usage, ok := errors.AsType[docpath.UsageError](err); ok {
		return usagef("%v", usage)
	}
	if err != nil {
		return hostf("%v", err)
	}
	return nil
}

// readFile reads one file that is no PATH.
func readFile(path string) ([]byte, error) {
	text, err := docpath.ReadFile(path)
	if err != nil {
		return nil, hostf("%v", err)
	}
	return text, nil
}

// compileSources adds the files of --policy to src and runs the front ends: networks and policies
// to a verified program. The program is nil if the list has errors.
func compileSources(src *diag.Sources, policies policyFlag, opts netxml.Options) (*ir.Program, diag.List, error) {
	first, err := policies.read(src)
	if err != nil {
		return nil, nil, err
	}
	p, found := frontend.Compile(src, frontend.Options{Options: opts, Policies: first})
	return p, found, nil
}
