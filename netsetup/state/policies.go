package state

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
)

// Policy is one policy file in force.
type Policy struct {
	Name  string `json:"name"`  // by which it is replaced and removed: the file's, without folder and .policy
	File  string `json:"file"`  // as the user named it
	Text  string `json:"text"`  // when it was applied
	First bool   `json:"first"` // First is true if its statements decide before those of files that are not.
}

// policiesFile is what stands in the file.
type policiesFile struct {
	Policies []Policy `json:"policies"`
	bootID
}

// Policies returns the policy files in force, in the order in which their statements decide. A file
// of another boot or network namespace says nothing, as the kernel has nothing of it. One that
// can't be used is an error: what it denies is not known then.
func (f folder) Policies() ([]Policy, error) {
	text, err := readTrusted(f.PoliciesPath(), maxNetwork)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	var in policiesFile
	if err == nil && json.Unmarshal(text, &in) != nil {
		err = errors.New("it is damaged")
	}
	if err != nil {
		return nil, fmt.Errorf("state file %s of policies: %w", f.PoliciesPath(), err)
	}
	if !in.same(f.boot) {
		return nil, nil
	}
	return in.Policies, nil
}

// SavePolicies writes the policy files in force; without any the file goes.
func (d *Dir) SavePolicies(all []Policy) (err error) {
	if len(all) == 0 {
		err = d.remove(d.PoliciesPath())
	} else {
		err = d.save(d.PoliciesPath(), policiesFile{all, d.boot})
	}
	if err != nil {
		return fmt.Errorf("state of policies: %w", err)
	}
	return nil
}

// PoliciesPath returns where the folder keeps the policy files in force.
func (f folder) PoliciesPath() string { return filepath.Join(f.path, "policies.json") }
