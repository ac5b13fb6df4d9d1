package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
)

// The tools, each of one version, so that a release of today is that of tomorrow.
const (
	apidiff     = "golang.org/x/exp/cmd/apidiff@v0.0.0-20261113113407-e3970619a1a4"
	govulncheck = "golang.org/x/vuln/cmd/govulncheck@v1.9.0"
)

const modulePath = "github.com/gwyh-go/gwyh"

// published are the modules of a release by their folders.
var published = []string{".", "cmd/gwyh", "discover", "exporter/gwyhotel", "exporter/gwyhprom", "statuspage"}

// checkChangelog checks that CHANGELOG.md has a dated section for the version, with something in it.
func (r *release) checkChangelog(context.Context) error {
	b, err := os.ReadFile(filepath.Join(r.root, "CHANGELOG.md"))
	if err != nil {
		return err
	}
	return changelogHas(string(b), r.version)
}

func changelogHas(changelog string, v version) error {
	heading := regexp.MustCompile(`(?m)^## \[` + regexp.QuoteMeta(v.String()) + `\] - \d{4}-\d{2}-\d{2}$`).FindStringIndex(changelog)
	if heading == nil {
		return fmt.Errorf("CHANGELOG.md has no line %q", fmt.Sprintf("## [%s] - YYYY-MM-DD", v))
	}
	section, _, _ := strings.Cut(changelog[heading[1]:], "\n## ")
	if !strings.Contains(section, "\n- ") {
		return fmt.Errorf("the section %s of CHANGELOG.md lists nothing", v)
	}
	return nil
}

// checkModules checks that the modules of the release require each other in its version: a program that imports one of them does
// not see the replacements that they have in this repository.
func (r *release) checkModules(context.Context) error {
	for _, m := range published {
		b, err := os.ReadFile(filepath.Join(r.root, m, "go.mod"))
		if err != nil {
			return err
		}
		if err := requiresVersion(string(b), r.version); err != nil {
			return fmt.Errorf("%s/go.mod: %w", m, err)
		}
	}
	return nil
}

var sibling = regexp.MustCompile(`(?m)^(?:require)?\s*(` + modulePath + `[\w/]*) (v\S+)`)

func requiresVersion(gomod string, v version) error {
	for _, m := range sibling.FindAllStringSubmatch(gomod, -1) {
		if m[2] != "v"+v.String() {
			return fmt.Errorf("it requires %s %s, want v%s", m[1], m[2], v)
		}
	}
	return nil
}

// checkAPI compares the exported API of the library with the last version.
func (r *release) checkAPI(ctx context.Context) error {
	tags, err := command(ctx, r.root, nil, "git", "tag", "--list", "v*", "--merged")
	if err != nil {
		return err
	}
	before, ok := latest(tags)
	if !ok {
		r.printf("there is no earlier version to compare with\n")
		return nil
	}
	if r.version.compare(before) <= 0 {
		return fmt.Errorf("%s is not later than %s", r.version, before)
	}
	old, err := r.clone(ctx, "old", "v"+before.String())
	if err != nil {
		return err
	}
	now, err := r.clone(ctx, "now", "HEAD")
	if err != nil {
		return err
	}
	changes, err := r.incompatible(ctx, old, now)
	if err != nil {
		return err
	}
	if changes == "" {
		r.printf("compatible with %s\n", before)
		return nil
	}
	if !r.version.mayBreak(before) {
		return fmt.Errorf("%s may not break programs for %s, and it does:\n%s", r.version, before, changes)
	}
	r.printf("%s breaks programs for %s, as it may:\n%s", r.version, before, changes)
	return nil
}

// incompatible returns what a program for the module in the folder old would break on with that in now. Internal packages do not count.
func (r *release) incompatible(ctx context.Context, old, now string) (string, error) {
	exports := filepath.Join(r.work, "old.export")
	if _, err := command(ctx, old, nil, "go", "run", apidiff, "-m", "-w", exports, modulePath); err != nil {
		return "", err
	}
	out, err := command(ctx, now, nil, "go", "run", apidiff, "-m", "-incompatible", exports, modulePath)
	if err != nil {
		return "", err
	}
	var changes strings.Builder
	for line := range strings.Lines(out) {
		if strings.HasPrefix(line, "- ") && !strings.Contains(line, "/internal/") && !strings.HasPrefix(line, "- internal/") {
			changes.WriteString(line)
		}
	}
	return changes.String(), nil
}

// checkVulnerabilities looks for known vulnerabilities that the modules can reach.
func (r *release) checkVulnerabilities(ctx context.Context) error {
	for _, m := range published {
		r.printf("%s\n", m)
		if err := r.vulnerable(ctx, filepath.Join(r.root, m)); err != nil {
			return err
		}
	}
	return nil
}

// vulnerable returns an error if the module in a folder calls something that is known to be vulnerable.
func (r *release) vulnerable(ctx context.Context, dir string) error {
	args := []string{"run", govulncheck}
	if r.vulndb != "" {
		args = append(args, "-db", r.vulndb)
	}
	_, err := command(ctx, dir, nil, "go", append(args, "./...")...)
	return err
}
