package deploy

import (
	"context"
	"net/url"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/compose-spec/compose-go/v2/cli"
	"go.yaml.in/yaml/v3"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	policyv1 "k8s.io/api/policy/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	k8syaml "sigs.k8s.io/yaml"

	"github.com/gwyh-go/gwyh"
)

// manifests are the objects in kubernetes/.
type manifests struct {
	account corev1.ServiceAccount
	role    rbacv1.Role
	binding rbacv1.RoleBinding
	service corev1.Service
	set     appsv1.StatefulSet
	network networkingv1.NetworkPolicy
	budget  policyv1.PodDisruptionBudget
}

// readManifests reads all objects, and refuses unknown fields.
func readManifests(t *testing.T) *manifests {
	t.Helper()
	m := &manifests{}
	kinds := map[string]any{
		"v1 ServiceAccount": &m.account, "v1 Service": &m.service, "apps/v1 StatefulSet": &m.set,
		"rbac.authorization.k8s.io/v1 Role": &m.role, "rbac.authorization.k8s.io/v1 RoleBinding": &m.binding,
		"networking.k8s.io/v1 NetworkPolicy": &m.network, "policy/v1 PodDisruptionBudget": &m.budget,
	}
	for _, path := range files(t, "kubernetes") {
		for document := range strings.SplitSeq(read(t, path), "\n---\n") {
			var head struct{ APIVersion, Kind string }
			if err := k8syaml.Unmarshal([]byte(document), &head); err != nil {
				t.Fatalf("%s: %v", path, err)
			}
			kind := head.APIVersion + " " + head.Kind
			if kinds[kind] == nil {
				t.Fatalf("%s: another object, or one not known here: %s", path, kind)
			}
			if err := k8syaml.UnmarshalStrict([]byte(document), kinds[kind]); err != nil {
				t.Errorf("%s: %s: %v", path, kind, err)
			}
			delete(kinds, kind)
		}
	}
	for kind := range kinds {
		t.Errorf("kubernetes/ has no %s", kind)
	}
	return m
}

func TestManifestsOfKubernetesFitTogether(t *testing.T) {
	m := readManifests(t)
	pod := m.set.Spec.Template
	for where, selector := range map[string]map[string]string{
		"the service": m.service.Spec.Selector, "the StatefulSet": m.set.Spec.Selector.MatchLabels,
		"the network policy": m.network.Spec.PodSelector.MatchLabels, "the disruption budget": m.budget.Spec.Selector.MatchLabels,
	} {
		for label, value := range selector {
			if pod.Labels[label] != value {
				t.Errorf("%s selects %s=%s, the pods have %q", where, label, value, pod.Labels[label])
			}
		}
		if len(selector) == 0 {
			t.Errorf("%s selects everything", where)
		}
	}
	if m.set.Spec.ServiceName != m.service.Name {
		t.Errorf("the StatefulSet has the service %q, want %q", m.set.Spec.ServiceName, m.service.Name)
	}
	if pod.Spec.ServiceAccountName != m.account.Name || m.binding.Subjects[0].Name != m.account.Name || m.binding.RoleRef.Name != m.role.Name {
		t.Errorf("account %q, role %q: pods use %q, %q is bound to %q", m.account.Name, m.role.Name, pod.Spec.ServiceAccountName,
			m.binding.Subjects[0].Name, m.binding.RoleRef.Name)
	}
	if rule := m.role.Rules[0]; !slices.Equal(rule.APIGroups, []string{"discovery.k8s.io"}) || !slices.Equal(rule.Resources, []string{"endpointslices"}) ||
		!slices.Equal(rule.Verbs, []string{"list"}) {
		t.Errorf("the role allows %+v", rule)
	}
}

func TestServiceOfKubernetesIsHeadlessAndUDP(t *testing.T) {
	s := readManifests(t).service.Spec
	if s.ClusterIP != corev1.ClusterIPNone {
		t.Errorf("clusterIP %q", s.ClusterIP)
	}
	if !s.PublishNotReadyAddresses {
		t.Error("addresses of nodes that are not ready are not published, so no node finds the first other one")
	}
	if len(s.Ports) != 1 || s.Ports[0].Protocol != corev1.ProtocolUDP || int(s.Ports[0].Port) != gwyh.DefaultPort {
		t.Errorf("ports %+v", s.Ports)
	}
}

func TestPodsOfKubernetesRunTheAgent(t *testing.T) {
	m := readManifests(t)
	container := m.set.Spec.Template.Spec.Containers[0]
	checkArguments(t, "the StatefulSet", flags(t), container.Args)
	environment := map[string]string{}
	for _, e := range container.Env {
		environment[e.Name] = e.ValueFrom.FieldRef.FieldPath
	}
	line := strings.Join(container.Args, " ")
	for _, used := range regexp.MustCompile(`\$\((\w+)\)`).FindAllStringSubmatch(line, -1) {
		if environment[used[1]] == "" {
			t.Errorf("the arguments use %s, which is not in the environment", used[1])
		}
	}
	ports := map[string]int{}
	for _, p := range container.Ports {
		ports[p.Name] = int(p.ContainerPort)
	}
	if want := m.service.Spec.Ports[0].TargetPort.String(); ports[want] != gwyh.DefaultPort {
		t.Errorf("the service leads to %s, which is port %d", want, ports[want])
	}
	_, text, _ := strings.Cut(line, "-discover=")
	source, err := url.Parse(strings.ReplaceAll(text, "$(POD_NAMESPACE)", "prod"))
	if err != nil {
		t.Fatal(err)
	}
	if source.Path != "/"+m.service.Name || source.Query().Get("port") != m.service.Spec.Ports[0].Name {
		t.Errorf("the agent looks for %s, the service is %s with the port %s", text, m.service.Name, m.service.Spec.Ports[0].Name)
	}
	for _, rule := range m.network.Spec.Ingress {
		for _, p := range rule.Ports {
			if ports[p.Port.String()] == 0 {
				t.Errorf("the network policy allows the port %s, which the pods do not have", p.Port)
			}
		}
	}
}

func TestComposeFileRunsAgentsThatFindEachOther(t *testing.T) {
	options, err := cli.NewProjectOptions([]string{"compose/compose.yaml"}, cli.WithInterpolation(true))
	if err != nil {
		t.Fatal(err)
	}
	project, err := options.LoadProject(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	var agents []string
	known := flags(t)
	for name, s := range project.Services {
		if s.Image != "gwyh" {
			continue
		}
		agents = append(agents, name)
		checkArguments(t, "compose.yaml, "+name, known, s.Command)
		for i, arg := range s.Command {
			if arg != "-discover" {
				continue
			}
			u, err := url.Parse(s.Command[i+1])
			if err != nil {
				t.Error(err)
			} else if _, ok := project.Services[u.Hostname()]; !ok || u.Hostname() == name {
				t.Errorf("%s looks for %s, which is no other service", name, u.Hostname())
			}
		}
	}
	if len(agents) != 3 {
		t.Errorf("agents %q, want three", agents)
	}
	for _, s := range project.Services {
		for _, v := range s.Volumes {
			if _, err := filepath.EvalSymlinks(v.Source); err != nil {
				t.Errorf("%s: %v", s.Name, err)
			}
		}
	}
	checkScrapes(t, agents)
}

// checkScrapes checks that Prometheus scrapes exactly the agents.
func checkScrapes(t *testing.T, agents []string) {
	t.Helper()
	var config struct {
		ScrapeConfigs []struct {
			StaticConfigs []struct{ Targets []string } `yaml:"static_configs"`
		} `yaml:"scrape_configs"`
	}
	if err := yaml.Unmarshal([]byte(read(t, "prometheus/prometheus.yml")), &config); err != nil {
		t.Fatal(err)
	}
	var want []string
	for _, a := range agents {
		want = append(want, a+":8080")
	}
	slices.Sort(want)
	if got := config.ScrapeConfigs[0].StaticConfigs[0].Targets; !slices.Equal(got, want) {
		t.Errorf("Prometheus scrapes %q, the agents are at %q", got, want)
	}
}

func TestUnitOfSystemdRunsTheAgent(t *testing.T) {
	unit := read(t, "systemd/gwyh.service")
	start := regexp.MustCompile(`(?m)^ExecStart=/usr/local/bin/gwyh (.*)$`).FindStringSubmatch(unit)
	if start == nil {
		t.Fatal("no ExecStart")
	}
	known := flags(t)
	checkArguments(t, "gwyh.service", known, strings.Fields(start[1]))
	for _, key := range regexp.MustCompile(`(?m)^([a-z-]+) = `).FindAllStringSubmatch(read(t, "systemd/agent.toml"), -1) {
		if !slices.Contains(known, key[1]) {
			t.Errorf("agent.toml: gwyh agent has no option %s", key[1])
		}
	}
}

// The agent reads the configuration and fails only because its key is missing.
func TestConfigurationOfTheUnitIsAccepted(t *testing.T) {
	agent := exec.CommandContext(t.Context(), "go", "run", ".", "agent", "-config", "../../deploy/systemd/agent.toml", "-key-file", "/nonexistent/key")
	agent.Dir = "../cmd/gwyh"
	out, err := agent.CombinedOutput()
	if err == nil || !strings.Contains(string(out), "/nonexistent/key") || strings.Contains(string(out), "agent.toml") {
		t.Errorf("%v\n%s", err, out)
	}
}
