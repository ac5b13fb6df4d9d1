package agent

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"strings"

	"github.com/gwyh-go/gwyh"
	"github.com/gwyh-go/gwyh/status"
)

// configWords and agentWords are what to do about a missing key: in a program with the library, and with an agent.
const (
	configWords = "set Config.SecretKey or Config.Keyring to the same random key, of 16, 24 or 32 bytes, at all nodes"
	agentWords  = "set -key-file or GWYH_KEY to the same key at all agents (`gwyh keygen` makes one)"
)

// A warning of the library about a key that can be guessed ends with one of guessed. It does not say what to do.
var guessed = []string{" can be guessed", ", which can be guessed"}

const strongerKey = ": rotate to one of `gwyh keygen`, and change -key-file or GWYH_KEY (`gwyh keys -h`)"

// inAgentWords returns a text of the library with the agent's options in place of fields of the library's Config.
func inAgentWords(text string) string {
	if strings.HasPrefix(text, "a key has ") && slices.ContainsFunc(guessed, func(end string) bool { return strings.HasSuffix(text, end) }) {
		return text + strongerKey
	}
	return strings.Replace(text, configWords, agentWords, 1)
}

// forPage is the node of an agent as the status page shows it, in the words of an agent.
type forPage struct{ *gwyh.Memberlist }

func (p forPage) Status() status.Status {
	s := p.Memberlist.Status()
	for i := range s.Warnings {
		s.Warnings[i].Text = inAgentWords(s.Warnings[i].Text)
	}
	return s
}

// forAgents passes log lines of the library to a Log in the words of an agent.
type forAgents struct{ *Log }

func (f forAgents) Handle(ctx context.Context, r slog.Record) error {
	r.Message = inAgentWords(r.Message)
	return f.Log.Handle(ctx, r)
}

// The error of a Join begins with joinFailed, then has one line for each address and, if any address did not answer, the
// possible causes as its last line.
const (
	joinFailed   = "gwyh: no node was reached: "
	commonCauses = "\npossible causes of no answer: "
)

// reasons returns the error of a Join as one line for the log: why each address was not reached. It leaves out the
// possible causes, because the library writes them to the log itself.
func reasons(err error) error {
	if err == nil {
		return nil
	}
	text, _, _ := strings.Cut(strings.TrimPrefix(err.Error(), joinFailed), commonCauses)
	return errors.New(strings.ReplaceAll(text, "\n", "; "))
}
