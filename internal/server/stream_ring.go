package server

// A ring remembers the latest updates, as many as fit into its limit, so that most
// clients that come back find there what they missed. The zero ring has no limit
// and remembers nothing.
type ring struct {
	limit int // bytes
	size  int
	base  Position // no update from here on is forgotten
	next  Position // all before it was added
	kept  []*update
}

// begin forgets all and goes on from another position.
func (r *ring) begin(at Position) {
	*r = ring{limit: r.limit, base: at.clone(), next: at.clone()}
}

// add takes the update of the next record of its partition; nil is for a record
// that has none.
func (r *ring) add(partition int32, offset int64, u *update) {
	r.next.pass(partition, offset)
	if u == nil {
		return
	}
	r.kept = append(r.kept, u)
	r.size += u.size()
	for r.size > r.limit {
		oldest := r.kept[0]
		r.kept[0] = nil // let it be collected before the slice moves
		r.kept = r.kept[1:]
		r.size -= oldest.size()
		r.base.pass(oldest.partition, oldest.offset)
	}
}

// since returns what a user has to get behind a position that the ring reaches back
// to. Each id is the position that the client has with its event, whatever order
// the client's former server read the partitions in.
func (r *ring) since(at Position, user string) []message {
	var missed []message
	at = at.clone()
	for _, u := range r.kept {
		if u.offset < at.At(u.partition) {
			continue
		}
		at.pass(u.partition, u.offset)
		if u.user == user {
			missed = append(missed, message{at.String(), u.text})
		}
	}
	return missed
}
