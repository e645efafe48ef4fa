package publish

import (
	"errors"
	"fmt"
	"strings"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// classify turns an error of the sidecar (dapr 1.18, pkg/api/errors/pubsub.go and
// pkg/api/grpc) into one of the Publisher's contract. What it doesn't know is an
// outage: a message is held back rather than given up on.
func classify(err error) error {
	answer, ok := status.FromError(err)
	if !ok {
		return err
	}
	switch answer.Code() {
	case codes.ResourceExhausted: // larger than gRPC or daprd's --max-body-size allows
		if strings.Contains(answer.Message(), "larger than max") {
			return fmt.Errorf("%w: %w", ErrRefused, err)
		}
	case codes.InvalidArgument:
		return classifyArgument(answer, err)
	case codes.PermissionDenied:
		if reason(answer) == "DAPR_PUBSUB_FORBIDDEN" { // the component's scopes
			return fmt.Errorf("%w: %w", ErrTopicRefused, err)
		}
	case codes.Internal: // the broker's answer, as text
		return classifyText(answer.Message(), err)
	default:
	}
	return err
}

// classifyArgument: the message can't be made into a CloudEvent, unless it is the
// component that is missing. A missing component is the fault of the sidecar's
// configuration, no message's.
func classifyArgument(answer *status.Status, err error) error {
	switch reason(answer) {
	case "DAPR_PUBSUB_NOT_FOUND", "DAPR_PUBSUB_NAME_EMPTY":
		return err
	case "DAPR_PUBSUB_TOPIC_NAME_EMPTY":
		return fmt.Errorf("%w: %w", ErrTopicRefused, err)
	}
	return fmt.Errorf("%w: %w", ErrRefused, err)
}

func reason(answer *status.Status) string {
	for _, detail := range answer.Details() {
		if info, ok := detail.(*errdetails.ErrorInfo); ok {
			return info.GetReason()
		}
	}
	return ""
}

// classifyText knows the broker's answers by the words of Sarama 1.48
// (errors.go), which Dapr passes on in its message. "circuit breaker is open" is
// Sarama's too and says nothing of the reason: an outage.
func classifyText(text string, err error) error {
	for _, words := range []string{
		"Message was too large, server rejected it",
		"larger than configured Producer.MaxMessageBytes",
		"message batch larger than the configured segment size",
		"timestamp of the message is out of acceptable range",
		"not supported by the message format version",
		"parameters do not satisfy the configured policy",
		"record has failed the validation on broker",
	} {
		if strings.Contains(text, words) {
			return fmt.Errorf("%w: %w", ErrRefused, err)
		}
	}
	for _, words := range []string{
		"topic or partition that does not exist on this broker",
		"perform an operation on an invalid topic",
		"client is not authorized to access this topic",
	} {
		if strings.Contains(text, words) {
			return fmt.Errorf("%w: %w", ErrTopicRefused, err)
		}
	}
	return err
}

// oneByOne tells whether a bulk request may have failed because of a single
// message, or a single one would say more: over gRPC a bulk request that fails in
// part fails whole, and the broker's reasons aren't in its text.
func oneByOne(err error) bool {
	answer, ok := status.FromError(err)
	if !ok {
		return true
	}
	switch answer.Code() {
	case codes.Internal, codes.Unknown, codes.ResourceExhausted:
		return true
	case codes.InvalidArgument:
		return errors.Is(classify(err), ErrRefused)
	default:
		return false
	}
}

// sidecarAway tells an outage that isn't the broker's and so every message's.
func sidecarAway(err error) bool {
	switch status.Code(err) {
	case codes.Internal, codes.Unknown, codes.ResourceExhausted, codes.InvalidArgument:
		return false
	default:
		return true
	}
}
