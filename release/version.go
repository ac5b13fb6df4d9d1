package main

import (
	"cmp"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// A version is a version of Semantic Versioning without a suffix.
type version struct{ major, minor, patch int }

func (v version) String() string { return fmt.Sprintf("%d.%d.%d", v.major, v.minor, v.patch) }

var versionForm = regexp.MustCompile(`^(0|[1-9]\d{0,5})\.(0|[1-9]\d{0,5})\.(0|[1-9]\d{0,5})$`)

func parseVersion(text string) (version, error) {
	m := versionForm.FindStringSubmatch(text)
	if m == nil {
		return version{}, fmt.Errorf("version %q, want three numbers such as 0.1.0", text)
	}
	var n [3]int
	for i := range n {
		n[i], _ = strconv.Atoi(m[i+1]) // the form allows numbers only
	}
	return version{n[0], n[1], n[2]}, nil
}

func (v version) compare(w version) int {
	return cmp.Or(cmp.Compare(v.major, w.major), cmp.Compare(v.minor, w.minor), cmp.Compare(v.patch, w.patch))
}

// mayBreak reports whether v may have incompatible changes since an earlier version: a new major version, or before 1.0.0 a new
// minor one.
func (v version) mayBreak(since version) bool {
	return v.major > since.major || v.major == 0 && v.minor > since.minor
}

// latest returns the greatest version among tags "vX.Y.Z"; ok is false if there is none.
func latest(tags string) (v version, ok bool) {
	var all []version
	for tag := range strings.FieldsSeq(tags) {
		if text, isVersion := strings.CutPrefix(tag, "v"); isVersion {
			if w, err := parseVersion(text); err == nil {
				all = append(all, w)
			}
		}
	}
	if len(all) == 0 {
		return version{}, false
	}
	return slices.MaxFunc(all, version.compare), true
}
