package stack

import "testing"

func TestCheckPubsub(t *testing.T) {
	m := Metadata{AppID: "todo-backend", Components: []Component{
		{Name: "state-kafka", Type: "state.redis"},
		{Name: "messages", Type: "pubsub.redis"},
		{Name: "pubsub-kafak", Type: "pubsub.kafka"},
	}}
	if err := CheckPubsub(m, "messages"); err != nil {
		t.Error(err)
	}
	wantError(t, CheckPubsub(m, "pubsub-kafka"), `no pub/sub component "pubsub-kafka"`, `app id "todo-backend"`, "it has pubsub-kafak, messages:")
	wantError(t, CheckPubsub(m, "state-kafka"), `no pub/sub component "state-kafka"`)
	wantError(t, CheckPubsub(Metadata{}, "pubsub-kafka"), "and no other", "scopes")
}
