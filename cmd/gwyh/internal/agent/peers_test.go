package agent

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"testing"
)

func TestMembersAreRememberedOverARestart(t *testing.T) {
	peers := filepath.Join(t.TempDir(), "peers")
	ann, _ := start(t, "-name", "ann")
	bob, _ := start(t, "-name", "bob", "-join", address(ann), "-peers-file", peers)
	until(t, "bob knows ann", func() bool { return bob.Memberlist().NumMembers() == 2 })
	_ = bob.Close(true)
	again, _ := start(t, "-name", "bob", "-peers-file", peers)
	until(t, "bob knows ann again", func() bool { return again.Memberlist().NumMembers() == 2 })
}

func TestAddressesToJoinAreDistinct(t *testing.T) {
	given := []string{"10.0.0.1", "ann:6969", "10.0.0.1:6969", "[::1]:6969", "::1", "10.0.0.1:7000", "ann:6969", "10.0.0.1"}
	want := []string{"10.0.0.1", "ann:6969", "[::1]:6969", "10.0.0.1:7000"}
	if got := distinct(given, "0.0.0.0:6969"); !slices.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
}

func TestPeersFileIsBoundedAndReplacedAtOnce(t *testing.T) {
	path := filepath.Join(t.TempDir(), "peers")
	if got, err := readPeers(path); len(got) > 0 || err != nil {
		t.Errorf("without a file: %q, %v", got, err)
	}
	var many []string
	for i := range 1000 {
		many = append(many, fmt.Sprintf("10.0.%d.%d:6969", i/256, i%256))
	}
	if err := writePeers(path, many); err != nil {
		t.Fatal(err)
	}
	if got, err := readPeers(path); err != nil || !slices.Equal(got, many[:remembered]) {
		t.Errorf("%q, %v", got, err)
	}
	entries, err := os.ReadDir(filepath.Dir(path))
	if err != nil || len(entries) != 1 {
		t.Errorf("%v, %v: want the file alone", entries, err)
	}
}

func TestAgentLooksForOthersAgainAndAgain(t *testing.T) {
	seeds := filepath.Join(t.TempDir(), "seeds")
	if err := os.WriteFile(seeds, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	ann, _ := start(t, "-name", "ann")
	bob, _ := start(t, "-name", "bob", "-discover", "file://"+filepath.ToSlash(seeds))
	if err := os.WriteFile(seeds, []byte(address(ann)+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	until(t, "bob finds ann", func() bool { return bob.Memberlist().NumMembers() == 2 })
}
