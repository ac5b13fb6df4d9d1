package deploy

import (
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/prometheus/prometheus/promql/parser"
	"go.yaml.in/yaml/v3"
)

// checkExpression reports what an expression uses that no node exports.
func checkExpression(t *testing.T, where, expression string, exported map[string]map[string][]string) {
	t.Helper()
	tree, err := parser.NewParser(parser.Options{}).ParseExpr(expression)
	if err != nil {
		t.Errorf("%s: %s: %v", where, expression, err)
		return
	}
	parser.Inspect(tree, func(node parser.Node, _ []parser.Node) error {
		selector, ok := node.(*parser.VectorSelector)
		if !ok {
			return nil
		}
		known, ok := exported[selector.Name]
		if !ok {
			t.Errorf("%s: no node exports %s", where, selector.Name)
			return nil
		}
		for _, m := range selector.LabelMatchers {
			values, ours := known[m.Name]
			switch {
			case m.Name == "__name__" || m.Name == "job" || m.Name == "instance":
			case !ours:
				t.Errorf("%s: %s has no label %s", where, selector.Name, m.Name)
			default:
				for alternative := range strings.SplitSeq(m.Value, "|") {
					if !slices.Contains(values, alternative) {
						t.Errorf("%s: %s has no %s=%q", where, selector.Name, m.Name, alternative)
					}
				}
			}
		}
		return nil
	})
}

func TestCheckOfExpressionsFindsWhatDoesNotExist(t *testing.T) {
	known := map[string]map[string][]string{"a": {"code": {"x", "y"}}}
	for expression, faults := range map[string]int{
		`rate(a{code="x"}[5m])`: 0, `a{code=~"x|y",job="j"}`: 0, `b`: 1, `a + b`: 1, `a{code="z"}`: 1, `a{reason="x"}`: 1, `a{code=~"x|z"}`: 1, `a +`: 1,
	} {
		if got := faultsOf(func(inner *testing.T) { checkExpression(inner, "test", expression, known) }); got != (faults > 0) {
			t.Errorf("%s: found a fault: %v, want %v", expression, got, faults > 0)
		}
	}
}

// faultsOf reports whether a check fails.
func faultsOf(check func(*testing.T)) bool {
	inner := &testing.T{}
	done := make(chan struct{})
	go func() { defer close(done); check(inner) }()
	<-done
	return inner.Failed()
}

// An alertRule is a rule of alerts.yml.
type alertRule struct {
	Alert       string
	Expr        string
	For         string
	Labels      map[string]string
	Annotations map[string]string
}

func alerts(t *testing.T) (rules []alertRule) {
	t.Helper()
	var file struct {
		Groups []struct {
			Name  string
			Rules []alertRule
		}
	}
	decoder := yaml.NewDecoder(strings.NewReader(read(t, "prometheus/alerts.yml")))
	decoder.KnownFields(true)
	if err := decoder.Decode(&file); err != nil {
		t.Fatal(err)
	}
	for _, g := range file.Groups {
		rules = append(rules, g.Rules...)
	}
	if len(rules) < 10 {
		t.Fatalf("%d rules", len(rules))
	}
	return rules
}

func TestAlertsUseMetricsThatNodesExport(t *testing.T) {
	known := exported(t)
	for _, r := range alerts(t) {
		checkExpression(t, r.Alert, r.Expr, known)
		if !slices.Contains([]string{"critical", "warning", "info"}, r.Labels["severity"]) {
			t.Errorf("%s has the severity %q", r.Alert, r.Labels["severity"])
		}
		if r.Annotations["summary"] == "" || r.Annotations["description"] == "" {
			t.Errorf("%s lacks a summary or a description", r.Alert)
		}
	}
}

func TestEveryAlertHasARunbook(t *testing.T) {
	doc := read(t, "../docs/TROUBLESHOOTING.md")
	for _, r := range alerts(t) {
		want := "https://github.com/gwyh-go/gwyh/blob/main/docs/TROUBLESHOOTING.md#" + strings.ToLower(r.Alert)
		if got := r.Annotations["runbook_url"]; got != want {
			t.Errorf("%s has the runbook %s, want %s", r.Alert, got, want)
		}
		if !strings.Contains(doc, "\n### "+r.Alert+"\n") {
			t.Errorf("docs/TROUBLESHOOTING.md has no entry for %s", r.Alert)
		}
	}
	for _, heading := range regexp.MustCompile(`(?m)^### (Gwyh\w+)$`).FindAllStringSubmatch(doc, -1) {
		if !slices.ContainsFunc(alerts(t), func(r alertRule) bool { return r.Alert == heading[1] }) {
			t.Errorf("docs/TROUBLESHOOTING.md has an entry for %s, which is no alert", heading[1])
		}
	}
}

func TestEveryAlertIsRaisedInATestOfTheRules(t *testing.T) {
	rules := read(t, "prometheus/alerts_test.yml")
	for _, r := range alerts(t) {
		if !strings.Contains(rules, fmt.Sprintf(`alertname="%s"`, r.Alert)) {
			t.Errorf("alerts_test.yml does not raise %s", r.Alert)
		}
	}
}

// A panel is a part of a dashboard of Grafana.
type panel struct {
	ID      int
	Type    string
	Title   string
	GridPos struct{ X, Y, W, H int }
	Targets []struct {
		RefID      string `json:"refId"`
		Expr       string
		Datasource struct{ UID string }
	}
}

type dashboard struct {
	UID        string
	Title      string
	Panels     []panel
	Templating struct {
		List []struct{ Name, Type, Definition string }
	}
}

func readDashboard(t *testing.T) (d dashboard) {
	t.Helper()
	if err := json.Unmarshal([]byte(read(t, "grafana/gwyh.json")), &d); err != nil {
		t.Fatal(err)
	}
	if d.UID == "" || d.Title == "" || len(d.Panels) < 10 {
		t.Fatalf("dashboard %q %q with %d panels", d.UID, d.Title, len(d.Panels))
	}
	return d
}

func TestDashboardUsesMetricsThatNodesExport(t *testing.T) {
	known := exported(t)
	variables := strings.NewReplacer("$__rate_interval", "5m", "$job", ".*", "$instance", ".*")
	d := readDashboard(t)
	for _, p := range d.Panels {
		if p.Type != "row" && len(p.Targets) == 0 {
			t.Errorf("panel %q shows nothing", p.Title)
		}
		for _, target := range p.Targets {
			checkExpression(t, p.Title, variables.Replace(target.Expr), known)
			if target.Datasource.UID != "${datasource}" {
				t.Errorf("panel %q has the fixed data source %q", p.Title, target.Datasource.UID)
			}
		}
	}
	for _, v := range d.Templating.List {
		if of := regexp.MustCompile(`^label_values\((\w+)`).FindStringSubmatch(v.Definition); v.Type == "query" && (of == nil || known[of[1]] == nil) {
			t.Errorf("variable %s is %q", v.Name, v.Definition)
		}
	}
}

func TestPanelsOfTheDashboardDoNotOverlap(t *testing.T) {
	ids, taken := map[int]bool{}, map[[2]int]string{}
	for _, p := range readDashboard(t).Panels {
		if ids[p.ID] {
			t.Errorf("two panels have the id %d", p.ID)
		}
		ids[p.ID] = true
		g := p.GridPos
		if g.W < 1 || g.H < 1 || g.X+g.W > 24 {
			t.Errorf("panel %q has the position %+v", p.Title, g)
		}
		for x := g.X; x < g.X+g.W; x++ {
			for y := g.Y; y < g.Y+g.H; y++ {
				if other := taken[[2]int{x, y}]; other != "" {
					t.Fatalf("panels %q and %q overlap", other, p.Title)
				}
				taken[[2]int{x, y}] = p.Title
			}
		}
	}
}
