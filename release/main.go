// Command release makes a release of this repository: it checks what has to hold, and builds the program gwyh for all platforms with
// checksums and lists of its parts (SBOM).
//
//	go run ./release -version 0.1.0
//
// It publishes nothing, and changes nothing outside of the folder -out: it prints the tags that a maintainer pushes. Everything is
// built from a clone of the commit at HEAD, so a file that is not committed has no influence.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strings"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx, os.Args[1:], os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "release:", err)
		os.Exit(1)
	}
}

// A release is what the steps share.
type release struct {
	version version
	root    string // of the repository
	out     string // folder for the files
	work    string // a folder that is removed at the end
	vulndb  string // URL of the database of vulnerabilities; empty for the public one
	log     io.Writer

	platforms []platform // at least one
}

func run(ctx context.Context, args []string, log io.Writer) (err error) {
	r := &release{log: log}
	fs := flag.NewFlagSet("release", flag.ContinueOnError)
	fs.SetOutput(log)
	text := fs.String("version", "", "version to release, as in 0.1.0")
	fs.StringVar(&r.root, "repository", ".", "repository")
	fs.StringVar(&r.out, "out", "dist", "folder for binaries, SBOMs and checksums; it must not exist, or be empty")
	fs.StringVar(&r.vulndb, "vulndb", "", "URL of another database of vulnerabilities than the public one")
	platforms := fs.String("platforms", allPlatforms, "platforms to build for, separated by commas")
	only := fs.String("only", "", "run these steps only, separated by commas: changelog, modules, api, vulnerabilities, build")
	if err := fs.Parse(args); err != nil {
		return err
	}
	if r.version, err = parseVersion(*text); err != nil {
		return err
	}
	if r.platforms, err = parsePlatforms(*platforms); err != nil {
		return err
	}
	if r.work, err = os.MkdirTemp("", "release"); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(r.work)) }()
	return r.steps(ctx, *only)
}

// steps runs the steps with the given names, or all.
func (r *release) steps(ctx context.Context, only string) error {
	all := []struct {
		name string
		run  func(context.Context) error
	}{
		{"changelog", r.checkChangelog}, {"modules", r.checkModules}, {"api", r.checkAPI},
		{"vulnerabilities", r.checkVulnerabilities}, {"build", r.build},
	}
	wanted := map[string]bool{}
	for name := range strings.SplitSeq(only, ",") {
		wanted[name] = name != ""
	}
	ran := 0
	for _, s := range all {
		if only != "" && !wanted[s.name] {
			continue
		}
		ran++
		r.printf("--- %s\n", s.name)
		if err := s.run(ctx); err != nil {
			return fmt.Errorf("%s: %w", s.name, err)
		}
	}
	if only != "" && ran != len(strings.Split(only, ",")) {
		return fmt.Errorf("-only %s: want some of changelog, modules, api, vulnerabilities, build", only)
	}
	if only == "" {
		r.printTags()
	}
	return nil
}

func (r *release) printf(format string, args ...any) { _, _ = fmt.Fprintf(r.log, format, args...) }

// printTags prints what a maintainer does next. Each module has a tag of its own.
func (r *release) printTags() {
	r.printf("\nEverything holds. The files are in %s. Tag and push:\n\n", r.out)
	var tags []string
	for _, m := range published {
		tag := filepath.ToSlash(filepath.Join(m, "v"+r.version.String()))
		r.printf("\tgit tag -s -m 'gwyh %s' %s\n", r.version, tag)
		tags = append(tags, tag)
	}
	r.printf("\tgit push origin %s\n", strings.Join(tags, " "))
}

// command runs a command in a folder and returns its output. The environment is fixed where it could change a result.
func command(ctx context.Context, dir string, env []string, name string, args ...string) (string, error) {
	c := exec.CommandContext(ctx, name, args...)
	c.Dir = dir
	c.Env = append(os.Environ(), "GOWORK=off", "GOFLAGS=", "LC_ALL=C")
	c.Env = append(c.Env, env...)
	out, err := c.CombinedOutput()
	if err != nil {
		return string(out), fmt.Errorf("%s %s: %w\n%s", name, strings.Join(args, " "), err, out)
	}
	return string(out), nil
}

// clone makes a clone of a commit.
func (r *release) clone(ctx context.Context, name, commit string) (string, error) {
	root, err := filepath.Abs(r.root)
	if err != nil {
		return "", err
	}
	dir := filepath.Join(r.work, name)
	if _, err := command(ctx, ".", nil, "git", "clone", "--quiet", "--no-checkout", root, dir); err != nil {
		return "", err
	}
	_, err = command(ctx, dir, nil, "git", "-c", "advice.detachedHead=false", "checkout", "--quiet", commit)
	return dir, err
}
