"""What several parts of the platform do with store and vendors together: one module for each piece of business."""
