package gossip

import (
	"bytes"
	"fmt"
	"time"

	"github.com/gwyh-go/gwyh/internal/wire"
)

// SetMeta changes the metadata of this node and tells the links at once. After an error nothing has
// changed. meta is not kept.
func (c *Core) SetMeta(now time.Time, meta []byte) error {
	before := c.self.Meta
	c.self.Meta = bytes.Clone(meta)
	if err := c.fits(); err != nil {
		c.self.Meta = before
		return err
	}
	if !c.self.Live() { // it is told when it joins again
		return nil
	}
	c.renewSelf(now, c.self.Incarnation)
	c.flushNews(now)
	if !bytes.Equal(before, meta) {
		c.emitMember(EventUpdate, c.self)
	}
	return nil
}

// fits is an error if this node's own entry is longer than a datagram: nobody could pass it on.
func (c *Core) fits() error {
	size, room := c.self.Fill(&c.entry).Size(), c.cfg.DatagramSize-wire.BoxOverhead-membersOverhead
	if size > room {
		return fmt.Errorf("name, zone and metadata make an entry of %d bytes, of which %d fit into a datagram", size, room)
	}
	return nil
}
