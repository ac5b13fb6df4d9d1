package main

import (
	"bytes"
	"context"
	"crypto/sha256"
	"debug/buildinfo"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// A platform is a system and a processor.
type platform struct{ os, arch string }

// allPlatforms are those that a release has binaries for.
const allPlatforms = "linux/amd64,linux/arm64,darwin/amd64,darwin/arm64,windows/amd64,windows/arm64"

// parsePlatforms reads platforms such as linux/amd64, separated by commas. The toolchain rejects unknown ones.
func parsePlatforms(text string) (list []platform, err error) {
	for name := range strings.SplitSeq(text, ",") {
		system, arch, ok := strings.Cut(name, "/")
		if !ok || system == "" || arch == "" {
			return nil, fmt.Errorf("platform %q, want a system and a processor as in linux/amd64", name)
		}
		list = append(list, platform{system, arch})
	}
	return list, nil
}

func (r *release) name(p platform) string {
	name := fmt.Sprintf("gwyh_%s_%s_%s", r.version, p.os, p.arch)
	if p.os == "windows" {
		name += ".exe"
	}
	return name
}

// build builds the binaries, and one of them a second time in another folder: the two have to be equal.
func (r *release) build(ctx context.Context) error {
	if entries, err := os.ReadDir(r.out); err == nil && len(entries) > 0 {
		return fmt.Errorf("%s is not empty", r.out)
	}
	if err := os.MkdirAll(r.out, 0o755); err != nil {
		return err
	}
	out, err := filepath.Abs(r.out)
	if err != nil {
		return err
	}
	first, err := r.tagged(ctx, "first")
	if err != nil {
		return err
	}
	var sums bytes.Buffer
	for _, p := range r.platforms {
		binary := filepath.Join(out, r.name(p))
		if err := compile(ctx, first, binary, p); err != nil {
			return err
		}
		parts, err := partsOf(binary)
		if err != nil {
			return err
		}
		list := binary + ".cdx.json"
		if err := os.WriteFile(list, parts, 0o644); err != nil {
			return err
		}
		for _, path := range []string{binary, list} {
			sum, err := checksum(path)
			if err != nil {
				return err
			}
			fmt.Fprintf(&sums, "%s  %s\n", sum, filepath.Base(path))
		}
	}
	if err := r.rebuild(ctx, filepath.Join(out, r.name(r.platforms[0]))); err != nil {
		return err
	}
	r.printf("%s", &sums)
	return os.WriteFile(filepath.Join(out, "SHA256SUMS"), sums.Bytes(), 0o644)
}

// tagged makes a clone of HEAD with the tag of the program, which Go writes into the binary as its version.
func (r *release) tagged(ctx context.Context, name string) (string, error) {
	dir, err := r.clone(ctx, name, "HEAD")
	if err != nil {
		return "", err
	}
	_, err = command(ctx, dir, nil, "git", "tag", "--force", "cmd/gwyh/v"+r.version.String())
	return dir, err
}

// rebuild builds the first platform again from a clone in a folder with a longer path, and compares.
func (r *release) rebuild(ctx context.Context, binary string) error {
	dir, err := r.tagged(ctx, filepath.Join("second", "in", "another", "folder"))
	if err != nil {
		return err
	}
	again := filepath.Join(r.work, "again")
	if err := compile(ctx, dir, again, r.platforms[0]); err != nil {
		return err
	}
	one, err := checksum(binary)
	if err != nil {
		return err
	}
	two, err := checksum(again)
	if err != nil {
		return err
	}
	if one != two {
		return fmt.Errorf("%s is not reproducible: %s, and in another folder %s", filepath.Base(binary), one, two)
	}
	r.printf("reproducible: %s\n", filepath.Base(binary))
	return nil
}

// compile builds the program of a clone.
func compile(ctx context.Context, clone, binary string, p platform) error {
	env := []string{"GOOS=" + p.os, "GOARCH=" + p.arch, "CGO_ENABLED=0", "GOAMD64=v1", "GOARM64=v8.0"}
	_, err := command(ctx, filepath.Join(clone, "cmd", "gwyh"), env, "go", "build", "-trimpath", "-buildvcs=true", "-ldflags=-s -w", "-o", binary, ".")
	return err
}

func checksum(path string) (string, error) {
	b, err := os.ReadFile(path)
	if err != nil {
		return "", err
	}
	return fmt.Sprintf("%x", sha256.Sum256(b)), nil
}

// The parts of CycloneDX 1.6 that partsOf writes.
type (
	bom struct {
		Schema     string      `json:"$schema"`
		Format     string      `json:"bomFormat"`
		Spec       string      `json:"specVersion"`
		Version    int         `json:"version"`
		Metadata   metadata    `json:"metadata"`
		Components []component `json:"components"`
	}
	metadata struct {
		Component  component  `json:"component"`
		Properties []property `json:"properties"`
	}
	component struct {
		Type       string     `json:"type"`
		Ref        string     `json:"bom-ref"`
		Name       string     `json:"name"`
		Version    string     `json:"version"`
		PURL       string     `json:"purl"`
		Properties []property `json:"properties,omitempty"`
	}
	property struct {
		Name  string `json:"name"`
		Value string `json:"value"`
	}
)

// partsOf lists the modules and the toolchain in a binary, as Go wrote them into it, in the form of CycloneDX. It has no time and no serial
// number, so that the list of equal binaries is equal.
func partsOf(binary string) ([]byte, error) {
	info, err := buildinfo.ReadFile(binary)
	if err != nil {
		return nil, err
	}
	part := func(kind, path, version, sum string) component {
		c := component{Type: kind, Name: path, Version: version, PURL: "pkg:golang/" + path + "@" + strings.ReplaceAll(version, "+", "%2B")}
		c.Ref = c.PURL
		if sum != "" {
			c.Properties = []property{{"go:sum", sum}}
		}
		return c
	}
	b := bom{Schema: "http://cyclonedx.org/schema/bom-1.6.schema.json", Format: "CycloneDX", Spec: "1.6", Version: 1}
	b.Metadata.Component = part("application", info.Main.Path, info.Main.Version, "")
	for _, s := range info.Settings {
		if s.Key == "GOOS" || s.Key == "GOARCH" || strings.HasPrefix(s.Key, "vcs") {
			b.Metadata.Properties = append(b.Metadata.Properties, property{"go:" + s.Key, s.Value})
		}
	}
	b.Components = append(b.Components, part("library", "std", strings.TrimPrefix(info.GoVersion, "go"), ""))
	for _, m := range info.Deps {
		if strings.HasPrefix(m.Path, modulePath) { // of this repository, whatever its replacement
			m.Version, m.Sum = info.Main.Version, ""
		} else if m.Replace != nil {
			m = m.Replace
		}
		b.Components = append(b.Components, part("library", m.Path, m.Version, m.Sum))
	}
	out, err := json.MarshalIndent(b, "", " ")
	return append(out, '\n'), err
}
