package main

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/gwyh-go/gwyh/cmd/gwyh/internal/simreport"
	"github.com/santhosh-tekuri/jsonschema/v6"
)

const schemaFile = "../../docs/sim.schema.json"

// reportSchema returns the schema of a report.
func reportSchema(t *testing.T) *jsonschema.Schema {
	t.Helper()
	s, err := jsonschema.NewCompiler().Compile(schemaFile)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// valid fails the test if text does not have the format of a report.
func valid(t *testing.T, text string) {
	t.Helper()
	value, err := jsonschema.UnmarshalJSON(strings.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	if err := reportSchema(t).Validate(value); err != nil {
		t.Errorf("%v", err)
	}
}

func TestReportHasTheFormatOfItsSchema(t *testing.T) {
	for _, line := range []string{
		"-nodes 12 -zones 3 -idle 1s -duration 1s -crash 2 -sizes 4,8",
		"-nodes 3 -idle 0s -duration 0s -crash 0",
		"-nodes 4 -idle 0s -duration 1s -loss 90 -crash 1 -formed -mtu 1300", // a crash that is not known to all
	} {
		code, out, err := invoke(append([]string{"sim", "-json"}, strings.Fields(line)...)...)
		if code != exitOK && !strings.Contains(err, "not whole") {
			t.Errorf("%s: exit code %d, %s", line, code, err)
			continue
		}
		if code == exitOK {
			valid(t, out)
		}
	}
}

func TestSchemaDescribesEveryField(t *testing.T) {
	b, err := os.ReadFile(schemaFile)
	if err != nil {
		t.Fatal(err)
	}
	var schema map[string]any
	if err := json.Unmarshal(b, &schema); err != nil {
		t.Fatal(err)
	}
	fields := 0
	var visit func(at string, node any)
	visit = func(at string, node any) {
		m, ok := node.(map[string]any)
		if !ok {
			return
		}
		properties, _ := m["properties"].(map[string]any)
		for name, p := range properties {
			fields++
			if d, _ := p.(map[string]any)["description"].(string); d == "" {
				t.Errorf("%s.%s has no description", at, name)
			}
			visit(at+"."+name, p)
		}
		if properties != nil && m["additionalProperties"] != false {
			t.Errorf("%s allows other fields", at)
		}
		visit(at, m["items"])
	}
	visit("report", schema)
	definitions, _ := schema["$defs"].(map[string]any)
	for name, d := range definitions {
		visit(name, d)
	}
	if fields < 90 {
		t.Errorf("%d fields found", fields)
	}
}

func TestReportNamesAllParametersAndTheVersion(t *testing.T) {
	code, out, _ := invoke(strings.Fields("sim -json -nodes 5 -idle 0s -duration 0s -crash 0 -loss 1.5 -seed 9")...)
	var r simreport.Report
	var loose struct{ Parameters map[string]any }
	if err := json.Unmarshal([]byte(out), &loose); code != exitOK || err != nil {
		t.Fatalf("exit code %d, %v", code, err)
	}
	if p := loose.Parameters; p["loss_percent"] != 1.5 || p["seed"] != 9.0 || p["subs"] != 5.0 || p["mtu_bytes"] != 1472.0 {
		t.Errorf("parameters %v", p)
	}
	if err := json.Unmarshal([]byte(out), &struct{ Program any }{&r.Program}); err != nil || r.Program.Version == "" || r.Program.Go == "" {
		t.Errorf("program %+v, %v", r.Program, err)
	}
	var named []string // by the page
	for _, f := range (&simreport.Parameters{Map: "m"}).Facts() {
		named = append(named, f.Name)
	}
	for _, flag := range regexp.MustCompile(`(?m)^\t(-[a-z]+)`).FindAllStringSubmatch(simUsage, -1) {
		switch name := flag[1]; name {
		case "-json", "-html", "-trace", "-check", "-scenario", "-quick", "-full": // no parameters of the cluster
		default:
			if !slices.Contains(named, name) {
				t.Errorf("the page does not name %s", name)
			}
		}
	}
}

func TestPageHasEveryPlotAndTheReport(t *testing.T) {
	file := filepath.Join(t.TempDir(), "sim.html")
	code, out, err := invoke("sim", "-nodes", "16", "-zones", "3", "-idle", "1s", "-duration", "1s", "-html", file)
	if code != exitOK {
		t.Fatalf("exit code %d: %s", code, err)
	}
	if !strings.Contains(out, "plots are in "+file) || !strings.Contains(out, "Cost against size") {
		t.Errorf("output\n%s", out)
	}
	b, problem := os.ReadFile(file)
	if problem != nil {
		t.Fatal(problem)
	}
	page := string(b)
	for _, title := range []string{"How the cluster forms", "How many nodes have a message", "Delay of deliveries by the zone of the receiver",
		"Copies of a message for each node", "Bytes that a node sends", "How crashes become known", "Bytes that a node sends, by the size of the cluster", "Times by the size of the cluster"} {
		if !strings.Contains(page, `<text class="title" x="16" y="26">`+title+"<") {
			t.Errorf("no plot %q", title)
		}
	}
	if n := strings.Count(page, "no data"); n > 0 {
		t.Errorf("%d plots have no data", n)
	}
	if found := regexp.MustCompile(`(src|href)="[^#d]`).FindString(page); found != "" || strings.Contains(page, "url(") {
		t.Errorf("the page requests something: %s", found)
	}
	_, data, _ := strings.Cut(page, `<script type="application/json" id="report">`)
	data, _, _ = strings.Cut(data, "</script>")
	valid(t, data)
	var r struct{ Sizes []struct{ Nodes int } }
	if problem := json.Unmarshal([]byte(data), &r); problem != nil || fmt.Sprint(r.Sizes) != "[{2} {4} {8} {16}]" {
		t.Errorf("sizes %v, %v", r.Sizes, problem)
	}
}

func TestNamesOfZonesAreTextOnThePage(t *testing.T) {
	dir := t.TempDir()
	zones, file := filepath.Join(dir, "zones.csv"), filepath.Join(dir, "sim.html")
	if err := os.WriteFile(zones, []byte("ms,</script><b>,far\n</script><b>,1,70\nfar,70,1\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	code, _, err := invoke("sim", "-nodes", "6", "-map", zones, "-idle", "0s", "-duration", "1s", "-crash", "0", "-html", file, "-sizes", "6")
	b, problem := os.ReadFile(file)
	if code != exitOK || problem != nil {
		t.Fatalf("exit code %d, %s, %v", code, err, problem)
	}
	if strings.Contains(string(b), "<b>") || strings.Count(string(b), "</script>") != 1 {
		t.Error("the name of a zone became an element")
	}
}

func TestPageThatCannotBeWrittenIsKnownBeforeTheRun(t *testing.T) {
	code, out, err := invoke("sim", "-html", filepath.Join(t.TempDir(), "none", "sim.html"))
	if code != exitFailed || !strings.Contains(err, "sim.html") || strings.Contains(out, "✓") {
		t.Errorf("exit code %d, %q, %q", code, out, err)
	}
}

func TestProgressGoesToStandardError(t *testing.T) {
	var out, err strings.Builder
	p := newScreen(&err)
	report := p.of("5 nodes: ")
	report("idling", 0, 100)
	p.begun, p.shown = p.begun.Add(-plainEvery), p.shown.Add(-plainEvery)
	report("idling", 7, 100)
	if got := err.String(); !strings.HasPrefix(got, "     ... 5 nodes: idling: 7 of 100 after 2 s") || out.Len() > 0 {
		t.Errorf("%q", got)
	}
}
