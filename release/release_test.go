package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
)

func TestVersionsAreThreeNumbers(t *testing.T) {
	for text, want := range map[string]version{"0.1.0": {0, 1, 0}, "12.3.45": {12, 3, 45}} {
		if v, err := parseVersion(text); err != nil || v != want {
			t.Errorf("%s: %v, %v", text, v, err)
		}
	}
	for _, text := range []string{"", "v0.1.0", "0.1", "0.1.0-rc1", "01.1.0", "0.1.0.0", "0.1.x"} {
		if v, err := parseVersion(text); err == nil {
			t.Errorf("%q became %v", text, v)
		}
	}
}

func TestLatestTagIsTheGreatestVersion(t *testing.T) {
	if v, ok := latest("v0.9.0\nv0.10.0\nv0.10.0-rc1\nv0.2.0\nvnext\n"); !ok || v != (version{0, 10, 0}) {
		t.Errorf("%v, %v", v, ok)
	}
	if v, ok := latest("\nsomething\n"); ok {
		t.Errorf("%v of no version", v)
	}
}

func TestOnlyANewMajorVersionMayBreakAndBefore1ANewMinorOne(t *testing.T) {
	for _, c := range []struct {
		from, to version
		want     bool
	}{
		{version{0, 1, 0}, version{0, 1, 1}, false}, {version{0, 1, 0}, version{0, 2, 0}, true}, {version{0, 9, 0}, version{1, 0, 0}, true},
		{version{1, 0, 0}, version{1, 1, 0}, false}, {version{1, 9, 0}, version{2, 0, 0}, true},
	} {
		if got := c.to.mayBreak(c.from); got != c.want {
			t.Errorf("%v after %v may break: %v", c.to, c.from, got)
		}
	}
}

func TestChangelogHasADatedSectionOfTheVersion(t *testing.T) {
	const text = "# Changelog\n\n## [Unreleased]\n\n## [0.2.0] - 2026-12-01\n\n## [0.1.0] - 2026-11-29\n\n### Added\n\n- All of it.\n"
	for v, want := range map[version]string{{0, 1, 0}: "", {0, 2, 0}: "lists nothing", {0, 3, 0}: "has no line"} {
		if err := changelogHas(text, v); (err == nil) != (want == "") || err != nil && !strings.Contains(err.Error(), want) {
			t.Errorf("%v: %v", v, err)
		}
	}
}

func TestModulesRequireEachOtherInTheVersionOfTheRelease(t *testing.T) {
	const gomod = "module x\n\nrequire (\n\tgithub.com/gwyh-go/gwyh v0.1.0\n\tgithub.com/gwyh-go/gwyh/discover %s\n)\n\nreplace github.com/gwyh-go/gwyh => ../\n"
	if err := requiresVersion(strings.Replace(gomod, "%s", "v0.1.0", 1), version{0, 1, 0}); err != nil {
		t.Error(err)
	}
	if err := requiresVersion(strings.Replace(gomod, "%s", "v0.0.0", 1), version{0, 1, 0}); err == nil || !strings.Contains(err.Error(), "discover v0.0.0") {
		t.Errorf("%v, want an error that names discover", err)
	}
}

// write writes files, given by name and content, into a folder.
func write(t *testing.T, dir string, files map[string]string) {
	t.Helper()
	for name, content := range files {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

// git runs git in a folder.
func git(t *testing.T, dir string, args ...string) {
	t.Helper()
	env := []string{"GIT_AUTHOR_NAME=a", "GIT_AUTHOR_EMAIL=a@example.com", "GIT_COMMITTER_NAME=a", "GIT_COMMITTER_EMAIL=a@example.com"}
	if _, err := command(t.Context(), dir, env, "git", args...); err != nil {
		t.Fatal(err)
	}
}

// A repository with the version 0.1.0 of a library, and a change of a public and of an internal function since.
func TestIncompatibleChangesAreFoundAndOnlyPublicOnesCount(t *testing.T) {
	dir := t.TempDir()
	commit := func(public, private string) {
		write(t, dir, map[string]string{
			"go.mod": "module " + modulePath + "\n\ngo 1.26.0\n", "x.go": "package gwyh\n\n" + public + "\n",
			"internal/y/y.go": "package y\n\n" + private + "\n",
		})
		git(t, dir, "add", ".")
		git(t, dir, "commit", "--quiet", "--message", "x")
	}
	try := func(text, want string) {
		t.Helper()
		v, err := parseVersion(text)
		if err != nil {
			t.Fatal(err)
		}
		var log strings.Builder
		r := &release{version: v, root: dir, work: t.TempDir(), log: &log}
		err = r.checkAPI(t.Context())
		got := "ok: " + log.String()
		if err != nil {
			got = err.Error()
		}
		if !strings.Contains(got, want) {
			t.Errorf("%s: %s\nwant %q", text, got, want)
		}
	}
	git(t, dir, "init", "--quiet")
	commit("func F(int) {}", "func G(int) {}")
	try("0.1.0", "ok: there is no earlier version")
	git(t, dir, "tag", "v0.1.0")
	commit("func F(int) {}\n\nfunc New() {}", "func G() {}")
	try("0.1.0", "is not later than")
	try("0.1.1", "ok: compatible with 0.1.0")
	commit("func F(string) {}", "func G() {}")
	try("0.1.1", "may not break programs")
	try("0.2.0", "as it may")
}

// A database that knows one vulnerability, of a function of the standard library.
func TestVulnerabilityThatIsReachedIsFound(t *testing.T) {
	db := t.TempDir()
	write(t, db, map[string]string{
		"index/db.json":      `{"modified":"2026-01-01T00:00:00Z"}`,
		"index/modules.json": `[{"path":"stdlib","vulns":[{"id":"GO-2026-0001","modified":"2026-01-01T00:00:00Z"}]}]`,
		"index/vulns.json":   `[{"id":"GO-2026-0001","modified":"2026-01-01T00:00:00Z","aliases":[]}]`,
		"ID/GO-2026-0001.json": `{"schema_version":"1.3.1","id":"GO-2026-0001","modified":"2026-01-01T00:00:00Z","published":"2026-01-01T00:00:00Z",
 "details":"made up","affected":[{"package":{"name":"stdlib","ecosystem":"Go"},"ranges":[{"type":"SEMVER","events":[{"introduced":"0"}]}],
 "ecosystem_specific":{"imports":[{"path":"strings","symbols":["Title"]}]}}]}`,
	})
	for call, want := range map[string]bool{"Title": true, "ToUpper": false} {
		dir := t.TempDir()
		write(t, dir, map[string]string{
			"go.mod": "module example.com/x\n\ngo 1.26.0\n", "main.go": "package main\n\nimport \"strings\"\n\nfunc main() { println(strings." + call + "(\"x\")) }\n",
		})
		r := &release{vulndb: "file://" + filepath.ToSlash(db)}
		err := r.vulnerable(t.Context(), dir)
		if want && (err == nil || !strings.Contains(err.Error(), "GO-2026-0001")) {
			t.Errorf("%s: %v, want the vulnerability", call, err)
		}
		if !want && err != nil {
			t.Errorf("%s: %v", call, err)
		}
	}
}

func TestListOfPartsNamesTheModulesAndTheToolchain(t *testing.T) {
	test, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	out, err := partsOf(test)
	if err != nil {
		t.Fatal(err)
	}
	var b bom
	if err := json.Unmarshal(out, &b); err != nil {
		t.Fatal(err)
	}
	if b.Format != "CycloneDX" || b.Metadata.Component.Name != modulePath+"/release" {
		t.Errorf("%s of %s", b.Format, b.Metadata.Component.Name)
	}
	if want := "pkg:golang/std@" + strings.TrimPrefix(runtime.Version(), "go"); !slices.ContainsFunc(b.Components, func(c component) bool { return c.PURL == want }) {
		t.Errorf("%+v lacks %s", b.Components, want)
	}
}

func TestStepsThatDoNotExistAreRefused(t *testing.T) {
	err := run(t.Context(), []string{"-version", "0.1.0", "-only", "changlog"}, new(strings.Builder))
	if err == nil || !strings.Contains(err.Error(), "want some of") {
		t.Errorf("%v", err)
	}
}

func TestPlatformsAreASystemAndAProcessor(t *testing.T) {
	all, err := parsePlatforms(allPlatforms)
	if err != nil || len(all) != 6 {
		t.Errorf("the platforms of a release: %v, %v", all, err)
	}
	for _, bad := range []string{"", "linux", "linux/", "/amd64", "linux/amd64,"} {
		if list, err := parsePlatforms(bad); err == nil {
			t.Errorf("%q was read as %v", bad, list)
		}
	}
}
