package deploy

import (
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/gwyh-go/gwyh"
	"github.com/gwyh-go/gwyh/exporter/gwyhprom"
	"github.com/gwyh-go/gwyh/status"
)

// read returns the content of a file.
func read(t *testing.T, path string) string {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// linked is a node with one neighbor, so that the metrics of links exist.
type linked struct{ *gwyh.Memberlist }

// Metrics adds the histogram that beacons make.
func (l linked) Metrics() []status.Metric {
	return append(l.Memberlist.Metrics(), status.Metric{Name: "propagation", Kind: status.Histogram, Unit: "s", Help: "beacons", Label: "zone", LabelValue: "a",
		Count: 1, Value: 1, Buckets: []status.Bucket{{Bound: 1, Count: 1}}})
}

func (l linked) Status() status.Status {
	s := l.Memberlist.Status()
	s.Links = append(s.Links, status.Link{Node: status.Node{Name: "bob"}})
	return s
}

// exported are the values of each label of each metric that a node exports. A metric without labels has an empty map.
func exported(t *testing.T) map[string]map[string][]string {
	t.Helper()
	config := gwyh.DefaultLANConfig()
	config.Transport, config.LogHandler = new(gwyh.MockNetwork).NewTransport("ann"), slog.DiscardHandler
	list, err := gwyh.Create(config)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = list.Shutdown() })
	registry := prometheus.NewRegistry()
	registry.MustRegister(gwyhprom.New(linked{list}, gwyhprom.Options{Links: true}))
	families, err := registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	all := map[string]map[string][]string{"up": {}}
	for _, f := range families {
		labels := map[string][]string{}
		for _, m := range f.GetMetric() {
			for _, l := range m.GetLabel() {
				labels[l.GetName()] = append(labels[l.GetName()], l.GetValue())
			}
		}
		all[f.GetName()] = labels
		if f.GetMetric()[0].GetHistogram() != nil {
			for _, suffix := range []string{"_bucket", "_sum", "_count"} {
				all[f.GetName()+suffix] = labels
			}
		}
	}
	return all
}

// flags are the options of `gwyh agent`.
func flags(t *testing.T) []string {
	t.Helper()
	help := exec.CommandContext(t.Context(), "go", "run", ".", "agent", "-h")
	help.Dir = "../cmd/gwyh"
	out, err := help.Output()
	if err != nil {
		t.Fatalf("gwyh agent -h: %v", err)
	}
	var names []string
	for _, m := range regexp.MustCompile(`(?m)^\s+-([a-z-]+)`).FindAllStringSubmatch(string(out), -1) {
		names = append(names, m[1])
	}
	if len(names) < 10 {
		t.Fatalf("gwyh agent -h lists %q only", names)
	}
	return names
}

// checkArguments checks the options of a command line of the agent.
func checkArguments(t *testing.T, where string, known, args []string) {
	t.Helper()
	if len(args) == 0 || args[0] != "agent" {
		t.Errorf("%s does not run the agent: %q", where, args)
		return
	}
	options := 0
	for _, a := range args[1:] {
		name, isOption := strings.CutPrefix(a, "-")
		if !isOption {
			continue
		}
		options++
		name, _, _ = strings.Cut(name, "=")
		if !slices.Contains(known, name) {
			t.Errorf("%s: gwyh agent has no option -%s", where, name)
		}
	}
	if options < 2 {
		t.Errorf("%s: %d options in %q", where, options, args)
	}
}

// The README names every directory, and no other.
func TestReadmeListsTheDirectories(t *testing.T) {
	readme := read(t, "README.md")
	entries, err := os.ReadDir(".")
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		if e.IsDir() && !strings.Contains(readme, "| ["+e.Name()+"/]("+e.Name()+") |") {
			t.Errorf("README.md does not list %s", e.Name())
		}
	}
}

// files are the files of a directory.
func files(t *testing.T, dir string) []string {
	t.Helper()
	paths, err := filepath.Glob(filepath.Join(dir, "*"))
	if err != nil || len(paths) == 0 {
		t.Fatalf("%s: %d files, %v", dir, len(paths), err)
	}
	return paths
}
